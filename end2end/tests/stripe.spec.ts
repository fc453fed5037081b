// Paying at Stripe, whose hosted pages a stand-in serves from another address: paid, declined and left, with JavaScript
// and without it. What was paid for is there once the signed event has come, not because the browser came back.
import { alive, expect, expectBalance, signUp, test } from "./people";
import type { Page } from "@playwright/test";

/** The stand-in's page to pay on. */
async function expectHostedPage(page: Page): Promise<void> {
  // A page of ours leads there, and says so in words of its own.
  await page.waitForURL(/:3919\//);
  await expect(page.getByRole("heading", { name: "Pay" })).toBeVisible();
}

/** Back on the site. Without JavaScript the page is loaded again until the news has come. */
async function expectPaid(page: Page): Promise<void> {
  await page.waitForURL(/:3918\/orders\//);
  await expect(async () => {
    await page.reload();
    await expect(page.getByRole("heading", { name: "Paid" })).toBeVisible({ timeout: 2_000 });
  }).toPass({ timeout: 60_000 });
}

test("a pack is declined, paid with another card, and brings its credits once", async ({ page }) => {
  await signUp(page);
  await page.goto("/buy");
  await alive(page);
  await page.getByRole("button", { name: "100 credits $5" }).click();
  await expectHostedPage(page);
  await expect(page.getByText("$5.00")).toBeVisible();
  await page.getByRole("button", { name: "Pay with a card that is declined" }).click();
  await expect(page.getByRole("alert")).toHaveText("Your card was declined.");
  await page.getByRole("button", { name: "Pay", exact: true }).click();
  await expectPaid(page);
  await expectBalance(page, "160");
  await page.reload();
  await expectBalance(page, "160");
});

test("whoever leaves the page to pay on has paid nothing", async ({ page }) => {
  await signUp(page);
  await page.goto("/buy");
  await alive(page);
  await page.getByRole("button", { name: "100 credits $5" }).click();
  await expectHostedPage(page);
  await page.getByRole("link", { name: "Back without paying" }).click();
  await page.waitForURL(/:3918\/orders\//);
  await expectBalance(page, "60");
});

test("a plan is paid and its month is there", async ({ page }) => {
  await signUp(page);
  await page.goto("/plans");
  await alive(page);
  await page.locator('[data-plan="basic"]').getByRole("button").click();
  await expectHostedPage(page);
  await page.getByRole("button", { name: "Pay", exact: true }).click();
  await expectPaid(page);
  await expectBalance(page, "560");
});
