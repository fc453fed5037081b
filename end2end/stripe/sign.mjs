// Signs webhooks with the official library. Each line of the input is {"payload", "secret", "timestamp"}; each line of
// the output is the header for it.
import { createInterface } from "node:readline";
import Stripe from "stripe";

const stripe = new Stripe("sk_test_signs_only");
for await (const line of createInterface({ input: process.stdin })) {
  const { payload, secret, timestamp } = JSON.parse(line);
  console.log(stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp }));
}
