"""Documents as agents send them, written by hand after the examples of the MTConnect standard."""

from __future__ import annotations

PROBE_1_3 = b"""<?xml version="1.0" encoding="UTF-8"?>
<MTConnectDevices xmlns:m="urn:mtconnect.org:MTConnectDevices:1.3" xmlns="urn:mtconnect.org:MTConnectDevices:1.3"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:schemaLocation="urn:mtconnect.org:MTConnectDevices:1.3 http://www.mtconnect.org/schemas/MTConnectDevices_1.3.xsd">
  <Header creationTime="2010-03-13T08:02:38Z" sender="localhost" instanceId="1268463594" bufferSize="131072"
      version="1.3.0.0"/>
  <Devices>
    <Device id="dev1" name="VMC-3Axis" uuid="000">
      <Description manufacturer="SystemInsights"/>
      <DataItems>
        <DataItem category="EVENT" id="avail" type="AVAILABILITY"/>
      </DataItems>
      <Components>
        <Axes id="ax" name="Axes">
          <Components>
            <Rotary id="c" name="C">
              <DataItems>
                <DataItem category="SAMPLE" id="c2" name="Sspeed" nativeUnits="REVOLUTION/MINUTE" subType="ACTUAL"
                    type="SPINDLE_SPEED" units="REVOLUTION/MINUTE"><Source>spindle_speed</Source></DataItem>
                <DataItem category="SAMPLE" id="c3" name="Sovr" subType="OVERRIDE" type="SPINDLE_SPEED"
                    units="PERCENT"/>
              </DataItems>
            </Rotary>
            <Linear id="x" name="X">
              <DataItems>
                <DataItem category="SAMPLE" id="x2" name="Xact" nativeUnits="MILLIMETER" subType="ACTUAL"
                    type="POSITION" units="MILLIMETER">
                  <Constraints><Minimum>-10.5</Minimum><Maximum>500</Maximum></Constraints></DataItem>
                <DataItem category="CONDITION" id="x4" name="Xload" type="LOAD"/>
              </DataItems>
            </Linear>
          </Components>
        </Axes>
        <Controller id="cn1" name="controller">
          <DataItems>
            <DataItem category="CONDITION" id="clc" type="LOGIC_PROGRAM"/>
          </DataItems>
          <Components>
            <Path id="pth" name="path">
              <DataItems>
                <DataItem category="EVENT" id="cn2" name="block" type="BLOCK"/>
                <DataItem category="EVENT" id="cn6" name="execution" type="EXECUTION"/>
                <DataItem category="EVENT" id="cnt1" name="tool_id" type="TOOL_ID"/>
                <DataItem category="EVENT" id="pc" type="PART_COUNT"/>
                <DataItem category="EVENT" id="fovr" type="PATH_FEEDRATE_OVERRIDE" units="PERCENT"/>
                <DataItem category="SAMPLE" id="Ppos" type="PATH_POSITION" units="MILLIMETER_3D"/>
              </DataItems>
            </Path>
          </Components>
        </Controller>
      </Components>
    </Device>
  </Devices>
</MTConnectDevices>
"""

CURRENT_1_3 = b"""<?xml version="1.0" encoding="UTF-8"?>
<m:MTConnectStreams xmlns:m="urn:mtconnect.org:MTConnectStreams:1.3">
  <m:Header creationTime="2010-04-06T06:29:35Z" sender="localhost" instanceId="1270534765" bufferSize="16384"
      version="1.3.0.0" nextSequence="22738" firstSequence="6354" lastSequence="22737"/>
  <m:Streams>
    <m:DeviceStream name="VMC-3Axis" uuid="000">
      <m:ComponentStream component="Rotary" name="C" componentId="c">
        <m:Samples>
          <m:SpindleSpeed dataItemId="c2" timestamp="2010-04-06T06:19:35.153141" name="Sspeed" sequence="22734"
              subType="ACTUAL">1500.25</m:SpindleSpeed>
          <m:SpindleSpeed dataItemId="c3" timestamp="2010-04-06T06:19:35.15Z" name="Sovr" sequence="22735"
              subType="OVERRIDE">UNAVAILABLE</m:SpindleSpeed>
          <m:Position dataItemId="x2" timestamp="2010-04-06T15:19:35.1234567891+09:00" sequence="22736">
             -0.5e-3 </m:Position>
        </m:Samples>
      </m:ComponentStream>
      <m:ComponentStream component="Path" name="path" componentId="pth">
        <m:Samples>
          <m:PathPosition dataItemId="Ppos" timestamp="2010-04-06T06:19:35Z" sequence="22730">1.5 -2 3</m:PathPosition>
        </m:Samples>
        <m:Events>
          <m:Block dataItemId="cn2" timestamp="2010-04-06T06:19:36Z" name="block" sequence="22731">G01X1&lt;2</m:Block>
          <m:PartCount dataItemId="pc" timestamp="2010-04-06T06:19:36Z" sequence="22732">17</m:PartCount>
          <m:Block dataItemId="cn2" name="block" sequence="22733">without a time</m:Block>
        </m:Events>
        <m:Condition>
          <m:Fault type="LOGIC_PROGRAM" dataItemId="clc" timestamp="2010-04-06T06:19:35.153141Z" sequence="22720"
              nativeCode="PLC-5" nativeSeverity="high" qualifier="HIGH">ESTOP pressed</m:Fault>
          <m:Warning type="LOGIC_PROGRAM" dataItemId="clc" timestamp="2010-04-06T06:19:35.2Z" sequence="22721"
              nativeCode="PLC-9">Low oil</m:Warning>
          <m:Normal type="LOAD" dataItemId="x4" timestamp="2010-04-06T06:19:35.153141Z" sequence="22722"/>
        </m:Condition>
      </m:ComponentStream>
    </m:DeviceStream>
  </m:Streams>
</m:MTConnectStreams>
"""

SAMPLE_2_2 = b"""<?xml version="1.0" encoding="UTF-8"?>
<MTConnectStreams xmlns="urn:mtconnect.org:MTConnectStreams:2.2">
  <Header creationTime="2023-01-12T17:05:05Z" sender="agent" instanceId="18446744073709551615" version="2.2.0.1"
      deviceModelChangeTime="2023-01-12T17:05:05.123456Z" bufferSize="131072" nextSequence="107" firstSequence="1"
      lastSequence="200"/>
  <Streams>
    <DeviceStream name="Mill" uuid="M-1">
      <ComponentStream component="Path" componentId="p1">
        <Samples>
          <TorqueTimeSeries dataItemId="ts" sequence="100" timestamp="2023-01-12T17:05:04.1Z" sampleCount="3"
              sampleRate="100">1 2 3</TorqueTimeSeries>
        </Samples>
        <Events>
          <VariableDataSet dataItemId="vars" sequence="101" timestamp="2023-01-12T17:05:04.2Z" count="2"
              resetTriggered="NEW"><Entry key="a b">1.5</Entry><Entry key="name">O1</Entry></VariableDataSet>
          <VariableDataSet dataItemId="vars" sequence="102" timestamp="2023-01-12T17:05:04.3Z" count="2"
              ><Entry key="a b" removed="true"/><Entry key="c">2</Entry></VariableDataSet>
          <WorkOffsetTable dataItemId="offsets" sequence="103" timestamp="2023-01-12T17:05:04.4Z" count="1"
              ><Entry key="G54"><Cell key="X">1</Cell><Cell key="Y">-2</Cell></Entry></WorkOffsetTable>
        </Events>
        <Condition>
          <Fault dataItemId="sys" sequence="104" timestamp="2023-01-12T17:05:04.5Z" type="SYSTEM" nativeCode="7"
              conditionId="c-1">first</Fault>
          <Fault dataItemId="sys" sequence="105" timestamp="2023-01-12T17:05:04.6Z" type="SYSTEM" nativeCode="7"
              conditionId="c-2">second</Fault>
          <Normal dataItemId="sys" sequence="106" timestamp="2023-01-12T17:05:04.7Z" type="SYSTEM" nativeCode="7"
              conditionId="c-1"/>
        </Condition>
      </ComponentStream>
    </DeviceStream>
  </Streams>
</MTConnectStreams>
"""

OUT_OF_RANGE_1_8 = b"""<?xml version="1.0" encoding="UTF-8"?>
<MTConnectError xmlns="urn:mtconnect.org:MTConnectError:1.8">
  <Header creationTime="2021-02-11T22:38:02Z" sender="agent" instanceId="1613083069" version="1.8.0.2"
      bufferSize="131072"/>
  <Errors><Error errorCode="OUT_OF_RANGE">'from' must be greater than 22</Error></Errors>
</MTConnectError>
"""

ERROR_1_0 = b"""<MTConnectError><Header creationTime="2007-07-25T09:38:36" sender="a" instanceId="1" bufferSize="16"
version="1.0"/><Error errorCode="NO_DEVICE">Could not find 'mill'</Error></MTConnectError>"""
