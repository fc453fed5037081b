// The history shows every kind of movement as what it is, with its draws, also those that programs made.
import { expect, expectBalance, PASSWORD, signIn, signUp, test } from "./people";

test("holds, refunds and grants by programs stand in the history as what they are", async ({ page, browser }) => {
  const email = await signUp(page);
  const charge = await page.request.post("/api/credits/charge", {
    data: { feature: "text-to-image", units: 2, description: "Two foxes" },
  });
  expect(charge.status()).toBe(201);
  const id = (await charge.json()).transaction.id;
  expect((await page.request.post("/api/credits/holds", { data: { amount: 7, description: "A long job" } })).status()).toBe(201);

  const office = await browser.newContext();
  const admin = await office.newPage();
  await signIn(admin, "admin@example.com", PASSWORD);
  await expect(admin.getByRole("heading", { name: "Hello, Administrator" })).toBeVisible();
  const account = `/api/accounts/email:${email}`;
  const refund = await admin.request.post(`${account}/credits/transactions/${id}/refund`, {
    data: { amount: 4, reason: "One fox had no tail" },
  });
  expect(refund.status()).toBe(201);
  const grant = { amount: 20, source: "promotion", reason: "Spring gift", expires_at: "2099-01-01T00:00:00Z" };
  expect((await admin.request.post(`${account}/grants`, { data: grant })).status()).toBe(201);
  await office.close();

  await page.goto("/history");
  await expectBalance(page, "67");
  const lines = page.locator("tbody tr");
  await expect(lines).toHaveCount(5);
  await expect(lines.nth(0)).toContainText("Spring gift");
  await expect(lines.nth(0).locator(".draws li")).toContainText("Promotion +20 until 1 Jan 2099");
  await expect(lines.nth(1)).toContainText("Refunded");
  await expect(lines.nth(1)).toContainText("gives back No. 2");
  await expect(lines.nth(1).locator(".draws li")).toHaveText([/Sign-up credits \+4/]);
  await expect(lines.nth(2)).toContainText("On hold");
  await expect(lines.nth(2)).toContainText("goes back by itself at");
  await expect(lines.nth(2).locator(".draws li")).toHaveText([/Sign-up credits 7/]);
  await expect(lines.nth(3)).toContainText("Two foxes");
  await lines.nth(1).getByRole("link", { name: "No. 2" }).click();
  await expect(page).toHaveURL(/#entry-2$/);
});
