// Readable for everyone: axe finds nothing on any page, light and dark, and nothing scrolls sideways.
import AxeBuilder from "@axe-core/playwright";
import { alive, expect, expectBalance, make, signIn, signUp, test } from "./people";

test.describe("@script", () => {
  for (const colorScheme of ["light", "dark"] as const) {
    test(`every page can be read, ${colorScheme}`, async ({ page, browser }) => {
      // Every page once, in two widths: over a minute on two cores.
      test.slow();
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      const email = await signUp(page);
      await make(page, "chat-message", "Hello");
      await expectBalance(page, "59");
      const own = ["/", "/dashboard", "/studio", "/studio?feature=audio", "/plans", "/buy", "/history", "/billing"];
      own.push("/plans/change?plan=basic&interval=year", "/settings/keys", "/nowhere");
      for (const path of own) await expectReadable(page, path);

      await page.goto("/buy");
      await alive(page);
      await page.getByRole("button", { name: /500/ }).first().click();
      await expect(page.getByRole("heading", { name: "Checkout" })).toBeVisible();
      await expectReadable(page, page.url());
      await page.getByRole("button", { name: "Pay $20" }).click();
      await expect(page.getByRole("heading", { name: "Paid" })).toBeVisible();
      await expectReadable(page, page.url());
      await page.goto("/plans");
      await alive(page);
      await page.getByRole("button", { name: "Upgrade to Basic" }).click();
      await page.getByRole("button", { name: "Pay $15" }).click();
      await expect(page.getByRole("heading", { name: "Paid" })).toBeVisible();
      for (const path of ["/plans", "/plans/change?plan=premium&interval=year", "/billing"]) await expectReadable(page, path);

      const context = await browser.newContext({ colorScheme, reducedMotion: "reduce" });
      const admin = await context.newPage();
      for (const path of ["/signin", "/signup"]) await expectReadable(admin, path);
      await signIn(admin, "admin@example.com");
      await expect(admin.getByRole("heading", { name: "Hello, Administrator" })).toBeVisible();
      for (const path of ["/admin/keys", "/admin/events"]) await expectReadable(admin, path);
      await expectReadable(admin, `/admin?q=${encodeURIComponent(email)}`);
      await admin.getByRole("link", { name: email }).click();
      await expect(admin.getByRole("heading", { name: "Adjust" })).toBeVisible();
      await expectReadable(admin, admin.url());
      await context.close();
    });
  }
});

test.use({ expectedStatuses: [404] });

async function expectReadable(page: import("@playwright/test").Page, path: string): Promise<void> {
  await page.setViewportSize({ width: 320, height: 640 });
  await page.goto(path);
  await alive(page);
  const sideways = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(sideways, `${path} scrolls sideways at 320 px`).toBeLessThanOrEqual(0);
  await page.setViewportSize({ width: 1280, height: 800 });
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(" ")).join(", ")}`);
  expect(found, path).toEqual([]);
}
