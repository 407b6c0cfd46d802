// An OPC UA server that is not ours. Environment: CERTIFICATES (a temporary folder, needed), PORT (default: a free
// one), HOST_ADDRESS (default 127.0.0.1), USER_NAME and USER_PASSWORD (default user1 / secret), PERIOD_MS of the counters (default 20), COUNTERS
// (default 3), BURST (changes with one and the same source time in each period, default 1), MODES and POLICIES it offers (default None,SignAndEncrypt and None,Basic256Sha256), TRUST_NOBODY (refuse
// certificates it does not know), MAX_SESSIONS, CAPABILITIES (JSON), LOG (a file that gets a line "name value source_time_ns" for each
// change of a counter, default: none), REVERSE (opc.tcp://host:port of a client to dial, default: none).
// Prints one JSON line when it listens; ends on SIGTERM or when stdin closes.
"use strict";
const fs = require("node:fs");
const { opcua, prepare } = require("./prepare");
const { DataType, StatusCodes, VariantArrayType } = opcua;

const START = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const EXTREMES = {
  Boolean: [true, false],
  SByte: [-128, 127],
  Byte: [0, 255],
  Int16: [-32768, 32767],
  UInt16: [0, 65535],
  Int32: [-2147483648, 2147483647],
  UInt32: [0, 4294967295],
  Int64: [[0x80000000, 0], [0x7fffffff, 0xffffffff], [0x00200000, 1]],
  UInt64: [[0, 0], [0xffffffff, 0xffffffff], [0x7fffffff, 0xffffffff], [0x80000000, 0]],
  Float: [1.5, -0.0, 1.401298464324817e-45, 3.4028234663852886e38, NaN, Infinity, -Infinity],
  Double: [0.1, -0.0, 5e-324, 1e308, NaN, Infinity, -Infinity],
  String: ["", "한글 프레스 1호기", 'quote " backslash \\ tab\t', "a,b=c d", "line 1\nline 2\r\n", "trailing  ", "ends in \\", '"', "\u0001\u007f\u2028😀", "nul \0 inside"],
  DateTime: [new Date(START)],
  Guid: ["72962B91-FA75-4AE6-8D28-B404DC7DAF63"],
  ByteString: [Buffer.from([0, 1, 254, 255])],
  LocalizedText: [opcua.coerceLocalizedText({ locale: "ko", text: "정상 가동" })],
  QualifiedName: [opcua.coerceQualifiedName("2:Press")],
  NodeId: [opcua.resolveNodeId("ns=2;s=Double0")],
  StatusCode: [StatusCodes.BadSensorFailure],
};

function text(type, value) {
  if (type === "Int64" || type === "UInt64") {
    const big = (BigInt(value[0]) << 32n) | BigInt(value[1]);
    return (type === "Int64" ? BigInt.asIntN(64, big) : big).toString();
  }
  if (type === "DateTime") return value.toISOString().replace(/\.(\d{3})Z$/, ".$10000Z");
  if (type === "ByteString") return value.toString("hex");
  if (type === "LocalizedText") return value.text;
  if (type === "QualifiedName") return `${value.namespaceIndex}:${value.name}`;
  if (type === "StatusCode") return `0x${value.value.toString(16).toUpperCase().padStart(8, "0")}`;
  if (type === "Guid") return value.toLowerCase();
  return Object.is(value, -0) ? "-0" : String(value);
}

function words(name, otherwise) {
  return (process.env[name] || otherwise).split(",");
}

async function main() {
  const { port, certificates, users } = await prepare();
  const host = process.env.HOST_ADDRESS || "127.0.0.1";
  const user = process.env.USER_NAME || "user1";
  const password = process.env.USER_PASSWORD || "secret";
  const server = new opcua.OPCUAServer({
    host,
    hostname: host,
    port,
    resourcePath: "/plant",
    allowAnonymous: true,
    ...(process.env.REVERSE && {
      reverseConnect: { connections: [{ endpointUrl: process.env.REVERSE }], reconnectDelay: 100, maxReconnectDelay: 200 },
    }),
    userManager: { isValidUser: (name, word) => name === user && word === password },
    serverCertificateManager: certificates,
    userCertificateManager: users,
    securityModes: words("MODES", "None,SignAndEncrypt").map((name) => opcua.MessageSecurityMode[name]),
    securityPolicies: words("POLICIES", "None,Basic256Sha256").map((name) => opcua.SecurityPolicy[name]),
    ...(process.env.MAX_SESSIONS ? { maxConnectionsPerEndpoint: 20 } : {}),
    allowAnonymousSubscriptionTransferOnUnsecuredChannel: true,
    disableDiscovery: true,
    serverCapabilities: {
      minSupportedSampleRate: 0, // a client that asks for interval 0 gets every change
      ...JSON.parse(process.env.CAPABILITIES || "{}"),
      ...(process.env.MAX_SESSIONS ? { maxSessions: Number(process.env.MAX_SESSIONS) } : {}),
    },
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  const own = space.registerNamespace("urn:foreign:plant");
  const plant = own.addObject({ organizedBy: space.rootFolder.objects, browseName: "Plant" });
  const values = [];

  function add(name, type, value, status) {
    const stamp = new Date(START + values.length);
    const ticks = values.length; // 100 ns each
    const node = own.addVariable({ componentOf: plant, browseName: name, nodeId: `s=${name}`, dataType: type });
    node.setValueFromSource({ dataType: DataType[type], arrayType: VariantArrayType.Scalar, value }, status, stamp);
    node.$dataValue.sourcePicoseconds = ticks * 100000;
    values.push({
      node: node.nodeId.toString(),
      type,
      value: text(type, value),
      status: status.value,
      source_time_ns: (BigInt(stamp.getTime()) * 1000000n + BigInt(ticks) * 100n).toString(),
    });
  }

  for (const [type, list] of Object.entries(EXTREMES)) {
    list.forEach((value, index) => add(`${type}${index}`, type, value, StatusCodes.Good));
  }
  add("Uncertain", "Double", 2.5, StatusCodes.UncertainLastUsableValue);
  add("Bad", "Double", 0, StatusCodes.BadSensorFailure);
  add("UncertainText", "String", "마지막 값", StatusCodes.UncertainSubstituteValue);
  add("UncertainNaN", "Double", NaN, StatusCodes.UncertainLastUsableValue);
  add("Overridden", "Int32", -7, StatusCodes.GoodLocalOverride);

  const array = own.addVariable({ componentOf: plant, browseName: "Array", nodeId: "s=Array", dataType: "Double", valueRank: 1 });
  array.setValueFromSource({ dataType: DataType.Double, arrayType: VariantArrayType.Array, value: new Float64Array([1, 2]) });

  const counters = [];
  for (let i = 0; i < Number(process.env.COUNTERS || 3); i += 1) {
    const node = own.addVariable({ componentOf: plant, browseName: `Counter${i}`, nodeId: `s=Counter${i}`, dataType: "UInt32" });
    node.setValueFromSource({ dataType: DataType.UInt32, value: 0 });
    counters.push(node);
  }
  const log = process.env.LOG && fs.openSync(process.env.LOG, "w");
  const burst = Array.from({ length: Number(process.env.BURST || 1) }, (_, step) => step + 1);
  let count = 0;
  const timer = setInterval(() => {
    const now = burst.length > 1 ? new Date() : undefined;
    for (const [node, value] of counters.flatMap((one) => burst.map((step) => [one, count + step]))) {
      node.setValueFromSource({ dataType: DataType.UInt32, value }, StatusCodes.Good, now);
      const { sourceTimestamp, sourcePicoseconds } = node.$dataValue;
      const ns = BigInt(sourceTimestamp.getTime()) * 1000000n + BigInt(Math.floor(sourcePicoseconds / 100000)) * 100n;
      if (log) fs.writeSync(log, `${node.browseName.name} ${value} ${ns}\n`);
    }
    count += burst.length;
  }, Number(process.env.PERIOD_MS || 20));

  await server.start();
  const stop = async () => {
    clearInterval(timer);
    await server.shutdown(0);
    process.exit(0);
  };
  process.on("SIGTERM", stop);
  process.stdin.on("end", stop).resume();
  process.stdout.write(`${JSON.stringify({ endpoint: `opc.tcp://${host}:${port}/plant`, namespace: "urn:foreign:plant", user, password, values })}\n`);
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
