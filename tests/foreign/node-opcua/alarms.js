// An OPC UA server with alarms and history that is not ours. Environment: CERTIFICATES (a temporary folder, needed),
// PORT (default: a free one), HISTORY (values kept of each variable, default 100000).
// Objects: Tank with variable Level (limits 10, 20, 80, 90 → condition TankLevelCondition), Pump with variable Running
// (→ OffNormalAlarm PumpStopped, active while false), History0..2 (Double with history), Plain (Double without).
// Commands on stdin, one JSON line each, answered by one JSON line:
//   {"set": {"Level": 85}}          writes a value; the time is the server's
//   {"history": {"name": "History0", "values": [[ms, value], …]}}   adds to a variable, oldest first
// Prints one JSON line when it listens; ends on SIGTERM or when stdin closes.
"use strict";
const readline = require("node:readline");
const { opcua, prepare } = require("./prepare");
const { DataType, StatusCodes } = opcua;

async function main() {
  const { port, certificates, users } = await prepare();
  const server = new opcua.OPCUAServer({
    host: "127.0.0.1",
    hostname: "127.0.0.1",
    port,
    resourcePath: "/plant",
    allowAnonymous: true,
    serverCertificateManager: certificates,
    userCertificateManager: users,
    securityModes: [opcua.MessageSecurityMode.None],
    securityPolicies: [opcua.SecurityPolicy.None],
    allowAnonymousSubscriptionTransferOnUnsecuredChannel: true,
    disableDiscovery: true,
    serverCapabilities: { minSupportedSampleRate: 0, maxHistoryContinuationPoints: 10 },
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  const own = space.registerNamespace("urn:foreign:alarms");
  space.installAlarmsAndConditionsService();
  const objects = space.rootFolder.objects;
  const variables = {};

  const tank = own.addObject({ organizedBy: objects, browseName: "Tank", nodeId: "s=Tank", notifierOf: objects.server });
  variables.Level = own.addAnalogDataItem({
    componentOf: tank,
    browseName: "Level",
    nodeId: "s=Level",
    dataType: "Double",
    description: "탱크 수위",
    engineeringUnitsRange: { low: 0, high: 100 },
    engineeringUnits: opcua.standardUnits.percent,
    eventSourceOf: tank,
  });
  variables.Level.setValueFromSource({ dataType: DataType.Double, value: 50 });
  const level = own.instantiateExclusiveLimitAlarm("ExclusiveLimitAlarmType", {
    browseName: "TankLevelCondition",
    conditionName: "TankLevelCondition",
    nodeId: "s=TankLevelCondition",
    componentOf: tank,
    conditionSource: variables.Level,
    inputNode: variables.Level,
    lowLowLimit: 10,
    lowLimit: 20,
    highLimit: 80,
    highHighLimit: 90,
    optionals: ["ConfirmedState", "Confirm", "ShelvingState"],
  });

  const pump = own.addObject({ organizedBy: objects, browseName: "Pump", nodeId: "s=Pump", notifierOf: objects.server });
  variables.Running = own.addVariable({ componentOf: pump, browseName: "Running", nodeId: "s=Running", dataType: "Boolean", eventSourceOf: pump });
  variables.Running.setValueFromSource({ dataType: DataType.Boolean, value: true });
  variables.Expected = own.addVariable({ componentOf: pump, browseName: "Expected", nodeId: "s=Expected", dataType: "Boolean" });
  variables.Expected.setValueFromSource({ dataType: DataType.Boolean, value: true });
  own.instantiateOffNormalAlarm({
    browseName: "PumpStopped",
    conditionName: "PumpStopped",
    nodeId: "s=PumpStopped",
    componentOf: pump,
    conditionSource: variables.Running,
    inputNode: variables.Running,
    normalState: variables.Expected,
  });

  const plant = own.addObject({ organizedBy: objects, browseName: "Plant" });
  for (let i = 0; i < 3; i += 1) {
    const node = own.addVariable({ componentOf: plant, browseName: `History${i}`, nodeId: `s=History${i}`, dataType: "Double" });
    node.setValueFromSource({ dataType: DataType.Double, value: 0 });
    space.installHistoricalDataNode(node, { maxOnlineValues: Number(process.env.HISTORY || 100000) });
    variables[`History${i}`] = node;
  }
  variables.Plain = own.addVariable({ componentOf: plant, browseName: "Plain", nodeId: "s=Plain", dataType: "Double" });
  variables.Plain.setValueFromSource({ dataType: DataType.Double, value: 0 });

  await server.start();
  const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
  const stop = async () => {
    await server.shutdown(0);
    process.exit(0);
  };
  process.on("SIGTERM", stop);
  readline.createInterface({ input: process.stdin }).on("line", (line) => {
    const asked = JSON.parse(line);
    for (const [name, value] of Object.entries(asked.set || {})) {
      variables[name].setValueFromSource({ dataType: variables[name].readValue().value.dataType, value });
    }
    if (asked.history) {
      const node = variables[asked.history.name];
      for (const [ms, value] of asked.history.values) {
        node.setValueFromSource({ dataType: DataType.Double, value }, StatusCodes.Good, new Date(ms));
      }
    }
    say({ done: true });
  }).on("close", stop);
  say({ endpoint: `opc.tcp://127.0.0.1:${port}/plant`, namespace: "urn:foreign:alarms" });
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
