// A Modbus server that is not ours (npm modbus-serial): TCP, or RTU on the device that is its argument. Prints
// {"port": N} or {"device": NAME} and ends when its stdin closes.
//
// Map, the same in `input` and `holding`: item i of ITEMS in byte order o (0 ABCD, 1 CDAB, 2 BADC, 3 DCBA) starts at
// 1000 * o + 8 * i. Coil and discrete input a is on where a % 3 == 0. Registers from 60000 answer exception 2.
"use strict";

const ServerTCP = require("modbus-serial/servers/servertcp");

const ITEMS = [
  (b) => b.writeInt16BE(-32768), (b) => b.writeInt16BE(32767), (b) => b.writeInt16BE(-1), (b) => b.writeUInt16BE(65535),
  (b) => b.writeInt32BE(-2147483648), (b) => b.writeInt32BE(2147483647), (b) => b.writeUInt32BE(4294967295),
  (b) => b.writeUInt32BE(0x01020304),
  (b) => b.writeFloatBE(123.456), (b) => b.writeFloatBE(3.4028234663852886e38), (b) => b.writeFloatBE(1.401298464324817e-45),
  (b) => b.writeFloatBE(-0), (b) => b.writeFloatBE(NaN), (b) => b.writeFloatBE(Infinity), (b) => b.writeFloatBE(-Infinity),
  (b) => b.writeBigInt64BE(-(2n ** 63n)), (b) => b.writeBigInt64BE(2n ** 63n - 1n), (b) => b.writeBigUInt64BE(2n ** 64n - 1n),
  (b) => b.writeBigUInt64BE(0x0102030405060708n),
  (b) => b.writeDoubleBE(0.1), (b) => b.writeDoubleBE(1.7976931348623157e308), (b) => b.writeDoubleBE(5e-324),
  (b) => b.writeDoubleBE(-0), (b) => b.writeDoubleBE(NaN), (b) => b.writeDoubleBE(Infinity), (b) => b.writeDoubleBE(-Infinity),
  (b) => b.write("압출기 A1 "), (b) => b.write("\xff\xfe!!", "latin1"),
  (b) => b.write('"\\\n, =# \\  '),
];
const WIDTH = [1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 8, 8, 8];
const TEXT = 26; // first item whose words never change places

const memory = Buffer.alloc(2 * 65536);
for (let order = 0; order < 4; order++) {
  ITEMS.forEach((write, item) => {
    const value = Buffer.alloc(2 * WIDTH[item]);
    write(value);
    if (order >= 2) value.swap16();
    for (let word = 0; word < WIDTH[item]; word++) {
      const from = order % 2 && item < TEXT ? WIDTH[item] - 1 - word : word;
      value.copy(memory, 2 * (1000 * order + 8 * item + word), 2 * from, 2 * from + 2);
    }
  });
}

const register = (address) => {
  if (address >= 60000) throw Object.assign(new Error("illegal address"), { modbusErrorCode: 2 });
  return memory.readUInt16BE(2 * address);
};
const bit = (address) => address % 3 === 0;
const vector = { getInputRegister: register, getHoldingRegister: register, getCoil: bit, getDiscreteInput: bit };

const device = process.argv[2];
if (device) {
  const ServerSerial = require("modbus-serial/servers/serverserial");
  const server = new ServerSerial(vector, { port: device, baudRate: 115200, unitID: 255, interval: 5 });
  server.on("initialized", () => console.log(JSON.stringify({ device })));
} else {
  const server = new ServerTCP(vector, { host: "127.0.0.1", port: "0", unitID: 255 }); // a number 0 would mean 502
  server.on("initialized", () => console.log(JSON.stringify({ port: server._server.address().port })));
}
process.stdin.on("end", () => process.exit(0)).resume();
