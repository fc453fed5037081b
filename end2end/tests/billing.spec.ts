// Plans and packs, from the first click to the refund: whatever people do, the balance is what they paid for.
import type { Page } from "@playwright/test";
import { alive, expect, expectBalance, signIn, signUp, test } from "./people";

test.use({ expectedStatuses: [402, 403, 404, 422] });

test("a plan is left, declined and paid; then upgraded, downgraded, kept, canceled and resumed", async ({ page }) => {
  await signUp(page);
  await choose(page, "basic", "Upgrade to Basic");
  await expect(page.getByText("Basic plan, monthly")).toBeVisible();
  await page.getByRole("button", { name: "Go back without paying" }).click();
  await expect(page.getByRole("heading", { name: "Not bought" })).toBeVisible();
  await expectBalance(page, "60");

  await choose(page, "basic", "Upgrade to Basic");
  await page.getByRole("button", { name: "Let the payment be declined" }).click();
  await expect(page.getByRole("heading", { name: "Declined" })).toBeVisible();
  await expectBalance(page, "60");
  await page.getByRole("link", { name: "Try again" }).click();
  await pay(page, "Pay $15");
  await expectBalance(page, "560");

  await choose(page, "premium", "Upgrade to Premium");
  await expect(page.getByRole("heading", { name: "Upgrade to Premium" })).toBeVisible();
  await expect(page.getByTestId("due-now")).toHaveText("$29");
  await expect(page.getByTestId("due-next")).toContainText("$29");
  await expect(page.getByTestId("credits-now")).toHaveText("+1,200");
  await expect(page.locator(".kept")).toContainText("500 credits of this month, until");
  await expect(page.locator(".kept")).toContainText("60 credits, bought or given");
  await pay(page, "Pay $29 and upgrade now");
  await expectBalance(page, "1,760");

  await choose(page, "basic", "Downgrade to Basic");
  await expect(page.getByTestId("due-now")).toHaveText("$0");
  await expect(page.getByTestId("due-next")).toContainText("$15");
  await expect(page.getByTestId("credits-per-month")).toHaveText("500");
  await expect(page.locator(".lost")).toContainText("700 credits a month from");
  await alive(page);
  await page.getByRole("button", { name: "Change to Basic on" }).click();
  await expect(plan(page)).toContainText("It becomes Basic, monthly then.");
  await alive(page);
  await page.getByRole("button", { name: "Keep Premium" }).click();
  await expect(plan(page).locator(".tag")).toHaveCount(0);
  await expect(plan(page)).toContainText("Next payment");

  await page.getByRole("link", { name: "Cancel the plan" }).click();
  await expect(page.getByRole("heading", { name: "Cancel Premium" })).toBeVisible();
  await expect(page.getByTestId("due-next")).toHaveText("nothing");
  await alive(page);
  await page.getByRole("button", { name: "Cancel on" }).click();
  await expect(plan(page).locator(".tag")).toHaveText("Ends");
  await page.goto("/plans");
  await expect(page.locator("[data-plan=free]")).toContainText("Scheduled");
  await page.goto("/billing");
  await alive(page);
  await page.getByRole("button", { name: "Resume Premium" }).click();
  await expect(plan(page).locator(".tag")).toHaveCount(0);
  await expectBalance(page, "1,760");
});

test("a subscriber buys a pack, and each payment and its row in the history lead to each other", async ({ page }) => {
  await signUp(page);
  await choose(page, "basic", "Upgrade to Basic", "year");
  await pay(page, "Pay $210");
  await buyPack(page, "500", "Pay $20");
  await expectBalance(page, "1,060");

  await page.goto("/billing");
  const payments = page.locator("tr[data-payment]");
  await expect(payments).toHaveCount(2);
  await expect(payments.nth(0)).toContainText("$20");
  await expect(payments.nth(1)).toContainText("$210");
  await alive(page);
  await payments.nth(0).getByRole("link", { name: /^No\. \d+$/ }).click();
  await expect(page).toHaveURL(/\/history\?before=\d+#entry-\d+$/);
  const row = page.locator("tbody tr:target");
  await expect(row.locator("[data-label=Credits]")).toHaveText("+500");
  await row.getByRole("link", { name: "payment" }).click();
  await expect(page).toHaveURL(/\/billing#row-\d+$/);
  await expect(page.locator("li:target .number")).toHaveText("+500");

  await page.goto("/plans");
  await expect(page.locator("[data-plan=basic]")).toContainText("You have this plan.");
  await expect(page.locator("[data-plan=basic] .number")).toHaveText("$210");
});

test("an administrator gives money back, and its credits go with it", async ({ page, browser }) => {
  const email = await signUp(page);
  await buyPack(page, "500", "Pay $20");
  await expectBalance(page, "560");

  const office = await browser.newContext();
  const admin = await office.newPage();
  await signIn(admin, "admin@example.com");
  await expect(admin.getByRole("heading", { name: "Hello, Administrator" })).toBeVisible();
  await admin.goto(`/admin?q=${encodeURIComponent(email)}`);
  await admin.getByRole("link", { name: email }).click();
  const refund = async (amount: string, reason: string) => {
    await admin.goto(admin.url().replace(/\?.*/, ""));
    await alive(admin);
    const payment = admin.locator("tr[data-payment]");
    await payment.locator("summary").click();
    await payment.getByLabel("Amount").fill(amount);
    await payment.getByLabel("Reason").fill(reason);
    await payment.getByRole("button", { name: "Give the money back" }).click();
  };
  await expect(admin.getByRole("heading", { name: "Payments" })).toBeVisible();
  await refund("5", "");
  await expect(admin.locator("tr[data-payment] .error").filter({ hasText: "Please say why." })).toBeVisible();
  await refund("25", "More than it was");
  await expect(admin.locator("tr[data-payment] .error").filter({ hasText: "There is less to give back." })).toBeVisible();
  await refund("5", "A quarter was too much");
  await expect(admin.locator("tr[data-payment] .tag")).toHaveText("Refunded in part");
  await page.goto("/billing");
  await expect(page.locator("tr[data-payment]")).toContainText("$5 refunded");
  await expectBalance(page, "435");
  await refund("", "All the rest");
  await expect(admin.locator("tr[data-payment] .tag")).toHaveText("Refunded");
  await office.close();
  await page.goto("/history?only=clawback");
  await expectBalance(page, "60");
  await expect(page.locator("tbody [data-label=Credits]")).toHaveText(["−375", "−125"]);
});

test("a declined upgrade changes nothing, and works once the card does", async ({ page }) => {
  await signUp(page);
  await choose(page, "basic", "Upgrade to Basic");
  await pay(page, "Pay $15");
  await page.goto("/billing");
  await alive(page);
  await page.getByRole("button", { name: "Use a card that is declined" }).click();
  await expect(page.getByRole("button", { name: "Use a card that works" })).toBeVisible();
  await choose(page, "premium", "Upgrade to Premium");
  await alive(page);
  await page.getByRole("button", { name: "Pay $29 and upgrade now" }).click();
  await expect(page.getByText("The payment was declined.").first()).toBeVisible();
  await page.goto("/billing");
  await expect(plan(page)).toContainText("Basic, monthly");
  await expectBalance(page, "560");
  await alive(page);
  await page.getByRole("button", { name: "Use a card that works" }).click();
  await expect(page.getByRole("button", { name: "Use a card that is declined" })).toBeVisible();
  await choose(page, "premium", "Upgrade to Premium", "year");
  await expect(page.getByTestId("due-now")).toHaveText("$290");
  await pay(page, "Pay $290 and upgrade now");
  await expectBalance(page, "1,760");
});

test("who comes back before the news of the payment waits, and the page changes by itself when they come", async ({ page }) => {
  await signUp(page);
  await beginPack(page, "500");
  await alive(page);
  await page.getByRole("button", { name: "Pay, and let the news of it come late" }).click();
  // On a slow machine the news may be there before the page is.
  await expect(page.getByRole("heading", { name: /^(Processing|Paid)$/ })).toBeVisible();
  await expect(page.getByRole("heading", { name: "Paid" })).toBeVisible();
  await expectBalance(page, "560");
});

test("an order that was begun can be paid or let be from the billing page", async ({ page }) => {
  await signUp(page);
  await beginPack(page, "100");
  await page.goto("/billing");
  const open = page.locator(".open-order");
  await expect(open).toHaveCount(1);
  await alive(page);
  // To leave the page before the answer would break the request off.
  const answered = page.waitForResponse((response) => response.request().method() === "POST");
  await open.getByRole("button", { name: "Let it be" }).click();
  await answered;
  await expect(page.getByRole("heading", { name: "Billing" }).or(page.getByRole("heading", { name: "Not bought" }))).toBeVisible();
  await page.goto("/billing");
  await expect(open).toHaveCount(0);
  await expectBalance(page, "60");
});

test("nobody but an administrator sees what could not be booked", async ({ page, browser }) => {
  await signUp(page);
  await page.goto("/admin/events");
  await expect(page.getByText("Only an administrator may see this.")).toBeVisible();
  const office = await browser.newContext();
  const admin = await office.newPage();
  await signIn(admin, "admin@example.com");
  await expect(admin.getByRole("heading", { name: "Hello, Administrator" })).toBeVisible();
  await admin.goto("/admin/events");
  await expect(admin.getByText("Every event is booked.")).toBeVisible();
  await office.close();
});

function plan(page: Page) {
  return page.getByRole("region", { name: "Your plan" });
}

async function choose(page: Page, plan: string, words: string, interval = "month"): Promise<void> {
  await page.goto(`/plans?interval=${interval}`);
  await alive(page);
  await page.locator(`[data-plan=${plan}] .plan-action`).getByText(words, { exact: true }).click();
  await page.waitForURL(/\/(checkout|plans\/change)/);
}

async function beginPack(page: Page, credits: string): Promise<void> {
  await page.goto("/buy");
  await alive(page);
  await page.locator(".pack-offer").filter({ has: page.getByText(credits, { exact: true }) }).getByRole("button").click();
  await expect(page.getByRole("heading", { name: "Checkout" })).toBeVisible();
}

async function buyPack(page: Page, credits: string, words: string): Promise<void> {
  await beginPack(page, credits);
  await pay(page, words);
}

/** Presses the button and waits until the payment is confirmed. */
async function pay(page: Page, words: string): Promise<void> {
  await alive(page);
  await page.getByRole("button", { name: words, exact: true }).click();
  await expect(page.getByRole("heading", { name: "Paid" })).toBeVisible();
}
