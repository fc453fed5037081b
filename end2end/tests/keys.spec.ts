// Keys for programs: made on a page, shown once, good for the machine interface until they are revoked.
import type { APIRequestContext, Page } from "@playwright/test";
import { alive, expect, PASSWORD, signIn, signUp, test } from "./people";

test.use({ expectedStatuses: [401, 403, 422] });

test("a key of one's own is shown once, opens the machine interface, and opens nothing once revoked", async ({ page, request }) => {
  await signUp(page);
  await page.getByLabel("Account of Ann Example").click();
  await page.getByRole("link", { name: "API keys" }).click();
  await expect(page.getByRole("heading", { name: "API keys" })).toBeVisible();
  await alive(page);
  await expect(page.getByText("There are no keys yet.")).toBeVisible();
  await page.getByLabel("Lasts").selectOption("30 days");
  await page.getByRole("button", { name: "Make the key" }).click();
  await expect(page.locator("#label-error")).toContainText("Please give it a name");
  await expect(page.getByLabel("Lasts")).toHaveValue("30");

  const secret = await makeKey(page, "Import script");
  const row = page.locator("tr[data-key]");
  await expect(row).toHaveCount(1);
  await expect(row.locator(".key-label")).toHaveText("Import script");
  await expect(row.locator("[data-label='Last used']")).toHaveText("never");
  const balance = await ask(request, secret, "/api/credits/balance");
  expect(balance.status()).toBe(200);
  expect((await balance.json()).available).toBe(60);

  await page.reload();
  await alive(page);
  await expect(row.locator("[data-label='Last used'] time")).toBeVisible();
  await expect(page.getByLabel("The new key")).toHaveCount(0);
  await revoke(page, "Import script");
  await expect(row.locator(".tag")).toHaveText("Revoked");
  expect((await ask(request, secret, "/api/credits/balance")).status()).toBe(401);
});

test("an administrator makes a service key that may do what was ticked, and nobody else sees the page", async ({ page, browser, request }) => {
  const email = await signUp(page);
  await page.goto("/admin/keys");
  await expect(page.getByText("Only an administrator may see this.")).toBeVisible();

  const office = await browser.newContext();
  const admin = await office.newPage();
  await signIn(admin, "admin@example.com", PASSWORD);
  await expect(admin.getByRole("heading", { name: "Hello, Administrator" })).toBeVisible();
  await admin.goto("/admin");
  await admin.getByRole("link", { name: "Service keys" }).click();
  await expect(admin.getByRole("heading", { name: "Service keys" })).toBeVisible();
  await alive(admin);
  const label = `Reports for ${email}`;
  await admin.getByLabel("Name", { exact: true }).fill(label);
  await admin.getByRole("button", { name: "Make the key" }).click();
  await expect(admin.locator("#scopes-error")).toHaveText("Please tick what the key may do.");
  await admin.getByLabel("see any account").check();
  const secret = await makeKey(admin, label);

  const account = `/api/accounts/email:${email}`;
  expect((await ask(request, secret, `${account}/credits/balance`)).status()).toBe(200);
  const grant = { amount: 5, source: "promotion", reason: "Not allowed" };
  const headers = { authorization: `Bearer ${secret}` };
  expect((await request.post(`${account}/grants`, { data: grant, headers })).status()).toBe(403);
  await admin.reload();
  await alive(admin);
  await revoke(admin, label);
  await expect(admin.locator("tr[data-key]").filter({ hasText: label }).locator(".tag")).toHaveText("Revoked");
  expect((await ask(request, secret, `${account}/credits/balance`)).status()).toBe(401);
  await office.close();
});

async function makeKey(page: Page, label: string): Promise<string> {
  await page.getByLabel("Name", { exact: true }).fill(label);
  await page.getByRole("button", { name: "Make the key" }).click();
  const secret = page.getByLabel("The new key");
  await expect(secret).toHaveValue(/^scrip_[a-z2-7]{26}$/);
  return secret.inputValue();
}

async function revoke(page: Page, label: string): Promise<void> {
  const row = page.locator("tr[data-key]").filter({ hasText: label });
  await row.locator("summary").click();
  await row.getByRole("button", { name: "Revoke for good" }).click();
}

function ask(request: APIRequestContext, secret: string, path: string) {
  return request.get(path, { headers: { authorization: `Bearer ${secret}` } });
}
