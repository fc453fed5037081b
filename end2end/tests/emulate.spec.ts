// Paying on the hosted page of emulate, a server for Stripe's protocol that others have written. Its events have no id and
// are refused, so the site goes on waiting for the provider's word; tests/stripe/emulate.rs shows what comes of that.
import { alive, expect, expectBalance, signUp, test } from "./people";

// What its page asks for and has not.
test.use({ expectedStatuses: [404] });

test("a pack is paid on another server's page, and waits for the provider's word", async ({ page }) => {
  await signUp(page);
  await page.goto("/buy");
  await alive(page);
  await page.getByRole("button", { name: "100 credits $5" }).click();
  await page.waitForURL(/:3921\/checkout\//);
  await expect(page.getByText("100 credits").first()).toBeVisible();
  await page.getByRole("button", { name: "Pay $5.00" }).click();
  await page.waitForURL(/:3920\/orders\//);
  await expect(page.getByRole("heading", { name: "Processing" })).toBeVisible();
  await expectBalance(page, "60");
});
