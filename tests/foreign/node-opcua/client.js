// An OPC UA client that is not ours. Environment: CERTIFICATES (a temporary folder, needed), ENDPOINT, NAMESPACE (URI), OBJECT (identifier of the object whose variables
// are watched), CHANGES (end once each variable told so many), MOST (notifications of one message, default 0 = any number).
// Browses the object, monitors every variable in it, reads them all at the end, and prints one JSON line:
// {told: {name: [[value, source time in ms, StatusCode]]}, read: {name: [value, source time in ms, StatusCode]}}.
"use strict";
const { opcua, prepare } = require("./prepare");
const { AttributeIds, TimestampsToReturn } = opcua;

const plain = (value) => [value.value.value, value.sourceTimestamp.getTime(), value.statusCode.value];

async function main() {
  const { certificates } = await prepare();
  const client = opcua.OPCUAClient.create({ endpointMustExist: false, clientCertificateManager: certificates });
  await client.connect(process.env.ENDPOINT);
  const session = await client.createSession();
  const index = (await session.readNamespaceArray()).indexOf(process.env.NAMESPACE);
  const children = await session.browse(`ns=${index};s=${process.env.OBJECT}`);
  const nodes = children.references.filter((one) => one.isForward && one.nodeClass === opcua.NodeClass.Variable);
  const told = Object.fromEntries(nodes.map((one) => [one.browseName.name, []]));
  const subscription = await session.createSubscription2({
    requestedPublishingInterval: 50, requestedLifetimeCount: 1000, requestedMaxKeepAliveCount: 10,
    maxNotificationsPerPublish: Number(process.env.MOST || "0"), publishingEnabled: true, priority: 0,
  });
  const itemsToMonitor = nodes.map((one) => ({ nodeId: one.nodeId, attributeId: AttributeIds.Value }));
  const options = { samplingInterval: 0, discardOldest: true, queueSize: 100 };
  const group = opcua.ClientMonitoredItemGroup.create(subscription, itemsToMonitor, options, TimestampsToReturn.Both);
  await new Promise((done) => {
    let waiting = nodes.length;
    group.on("changed", (_, value, number) => {
      const seen = told[nodes[number].browseName.name];
      seen.push(plain(value));
      if (seen.length === Number(process.env.CHANGES) && --waiting === 0) done();
    });
  });
  await group.terminate();
  const values = await session.read(itemsToMonitor, 0);
  const read = Object.fromEntries(values.map((value, number) => [nodes[number].browseName.name, plain(value)]));
  await session.close();
  await client.disconnect();
  console.log(JSON.stringify({ told, read }));
}

main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
