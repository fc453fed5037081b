// Three servers for all tests, each on a fresh database in a folder of its own: one with the demo's payments, and two with
// Stripe's, taken by our stand-in beside the one and by emulate beside the other. Every test signs up its own people.
import { defineConfig } from "@playwright/test";

const port = 3917;
const stripePort = 3918;
const standinPort = 3919;
const emulatedPort = 3920;
const emulatePort = 3921;
const withStripe = /stripe\.spec\.ts/;
const withEmulate = /emulate\.spec\.ts/;

const stripeUrl = `http://127.0.0.1:${stripePort}`;
const emulatedUrl = `http://127.0.0.1:${emulatedPort}`;
const server = {
  timeout: 60_000,
  reuseExistingServer: false,
  gracefulShutdown: { signal: "SIGTERM" as const, timeout: 10_000 },
  stdout: "ignore" as const,
  stderr: "pipe" as const,
};

export default defineConfig({
  testDir: "tests",
  timeout: 180_000,
  expect: { timeout: 30_000 },
  workers: 2,
  fullyParallel: true,
  forbidOnly: !!process.env.CI,
  reporter: [["list"]],
  use: {
    baseURL: `http://127.0.0.1:${port}`,
    launchOptions: {
      executablePath: process.env.BROWSER_PATH || "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
    },
    trace: "retain-on-failure",
  },
  projects: [
    { name: "with JavaScript", testIgnore: [withStripe, withEmulate] },
    { name: "without JavaScript", testIgnore: [withStripe, withEmulate], use: { javaScriptEnabled: false }, grepInvert: /@script/ },
    { name: "Stripe, with JavaScript", testMatch: withStripe, use: { baseURL: stripeUrl } },
    {
      name: "Stripe, without JavaScript",
      testMatch: withStripe,
      use: { baseURL: stripeUrl, javaScriptEnabled: false },
      grepInvert: /@script/,
    },
    { name: "emulate, with JavaScript", testMatch: withEmulate, use: { baseURL: emulatedUrl } },
    { name: "emulate, without JavaScript", testMatch: withEmulate, use: { baseURL: emulatedUrl, javaScriptEnabled: false } },
  ],
  webServer: [
    { ...server, command: `./start-server.sh ${port}`, url: `http://127.0.0.1:${port}/readyz` },
    {
      ...server,
      command: `../scripts/stripe-local.sh ${stripePort} ${standinPort}`,
      url: `${stripeUrl}/readyz`,
      env: { SCRIP_LOG: "warn" },
    },
    {
      ...server,
      command: `../scripts/stripe-local.sh ${emulatedPort} ${emulatePort} emulate`,
      url: `${emulatedUrl}/readyz`,
      env: { SCRIP_LOG: "error" },
    },
  ],
});
