// What every server of this folder begins with: a port, and folders of certificates that take each client's.
// Environment: CERTIFICATES (a temporary folder, needed), PORT (default: a free one), TRUST_NOBODY (refuse certificates
// it does not know).
"use strict";
const net = require("node:net");
globalThis.crypto ??= require("node:crypto").webcrypto; // Debian 12's node 18 keeps it behind a flag
const opcua = require("node-opcua");

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

async function prepare() {
  const folder = process.env.CERTIFICATES;
  if (!folder) throw new Error("CERTIFICATES must name a temporary folder");
  const port = Number(process.env.PORT || 0) || (await freePort());
  const certificates = new opcua.OPCUACertificateManager({ rootFolder: folder, automaticallyAcceptUnknownCertificate: !process.env.TRUST_NOBODY });
  const users = new opcua.OPCUACertificateManager({ rootFolder: `${folder}/users`, automaticallyAcceptUnknownCertificate: true });
  await certificates.initialize();
  await users.initialize();
  return { port, certificates, users };
}

module.exports = { opcua, prepare };
