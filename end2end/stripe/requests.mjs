// Makes requests with the official library, so that a test can compare them with ours. The first argument is where to,
// the second the key. Each line of the input is {"call": ["checkout", "sessions", "create"], "arguments": [...]}.
import { createInterface } from "node:readline";
import Stripe from "stripe";

const [base, key] = process.argv.slice(2);
const { hostname, port, protocol } = new URL(base);
const stripe = new Stripe(key, {
  host: hostname,
  port,
  protocol: protocol.replace(":", ""),
  apiVersion: "2025-03-31.basil",
  maxNetworkRetries: 0,
  telemetry: false,
});
for await (const line of createInterface({ input: process.stdin })) {
  const { call, arguments: values } = JSON.parse(line);
  const names = [...call];
  const method = names.pop();
  const resource = names.reduce((object, name) => object[name], stripe);
  try {
    const answer = await resource[method](...values);
    console.log(JSON.stringify({ id: answer.id ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: error.type, message: error.message }));
  }
}
