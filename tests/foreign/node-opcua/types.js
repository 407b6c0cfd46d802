// An OPC UA server that is not ours, with arrays, matrices, enumerations and structures: optional fields, unions and
// structures in structures of the AutoID companion specification. Environment: CERTIFICATES (a temporary folder), PORT.
// Prints one JSON line when it listens; ends on SIGTERM or when stdin closes.
"use strict";
const { opcua, prepare } = require("./prepare");
const { DataType, VariantArrayType, nodesets } = opcua;

async function main() {
  const { port, certificates, users } = await prepare();
  const server = new opcua.OPCUAServer({
    host: "127.0.0.1",
    hostname: "127.0.0.1",
    port,
    resourcePath: "/types",
    serverCertificateManager: certificates,
    userCertificateManager: users,
    securityModes: [opcua.MessageSecurityMode.None],
    securityPolicies: [opcua.SecurityPolicy.None],
    disableDiscovery: true,
    nodeset_filename: [nodesets.standard, nodesets.di, nodesets.autoId],
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  const own = space.registerNamespace("urn:foreign:types");
  const plant = own.addObject({ organizedBy: space.rootFolder.objects, browseName: "Types" });

  function add(name, dataType, variant) {
    const rank = variant.arrayType === VariantArrayType.Matrix ? variant.dimensions.length : variant.arrayType ? 1 : -1;
    const node = own.addVariable({
      componentOf: plant,
      browseName: name,
      nodeId: `s=${name}`,
      dataType,
      valueRank: rank,
      arrayDimensions: variant.dimensions ?? undefined,
    });
    node.setValueFromSource(variant);
  }

  const autoId = space.getNamespaceIndex("http://opcfoundation.org/UA/AutoID/");
  const made = (name, fields) => space.constructExtensionObject(space.findDataType(name, autoId), fields);
  const state = own.addEnumerationType({ browseName: "PressState", enumeration: ["Idle", "Running", "고장"] });
  const color = own.addEnumerationType({
    browseName: "Color",
    enumeration: [
      { displayName: "Red", value: 10 },
      { displayName: "Green", value: 20 },
    ],
  });

  add("list", "Double", { dataType: DataType.Double, arrayType: VariantArrayType.Array, value: new Float64Array([1.5, 2.5]) });
  add("longs", "Int64", { dataType: DataType.Int64, arrayType: VariantArrayType.Array, value: [[0, 7], [0xffffffff, 0xffffffff]] });
  add("words", "String", { dataType: DataType.String, arrayType: VariantArrayType.Array, value: ["가", null] });
  add("matrix", "Int32", { dataType: DataType.Int32, arrayType: VariantArrayType.Matrix, dimensions: [2, 3], value: new Int32Array([1, 2, 3, 4, 5, 6]) });
  add("state", state.nodeId, { dataType: DataType.Int32, arrayType: VariantArrayType.Scalar, value: 2 });
  add("color", color.nodeId, { dataType: DataType.Int32, arrayType: VariantArrayType.Scalar, value: 20 });
  add("settings", space.findDataType("ScanSettings", autoId).nodeId, {
    dataType: DataType.ExtensionObject,
    arrayType: VariantArrayType.Scalar,
    value: made("ScanSettings", { duration: 1.5, cycles: 3, dataAvailable: true }),
  });
  add("scan", space.findDataType("ScanData", autoId).nodeId, {
    dataType: DataType.ExtensionObject,
    arrayType: VariantArrayType.Scalar,
    value: made("ScanData", { string: "QR-77" }),
  });
  add("position", space.findDataType("Position", autoId).nodeId, {
    dataType: DataType.ExtensionObject,
    arrayType: VariantArrayType.Array,
    value: [made("Position", { positionX: 1, positionY: 2, sizeX: 3, sizeY: 4, rotation: 5 })],
  });

  await server.start();
  const stop = async () => {
    await server.shutdown(0);
    process.exit(0);
  };
  process.on("SIGTERM", stop);
  process.stdin.on("end", stop).resume();
  const endpoint = `opc.tcp://127.0.0.1:${port}/types`;
  process.stdout.write(`${JSON.stringify({ endpoint, namespace: "urn:foreign:types", user: "", password: "", values: [] })}\n`);
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
