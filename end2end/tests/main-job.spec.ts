// The main job, from signing up to the history, with JavaScript and without it.
import { alive, expect, expectBalance, make, NINE_CREDITS_OF_WORDS, signUp, test } from "./people";

test.use({ expectedStatuses: [402, 502] });

test("someone signs up, spends, runs out, buys more, goes on and finds it all in the history", async ({ page }) => {
  await page.goto("/");
  await page.getByRole("link", { name: "Start with 60 credits" }).click();
  await expect(page).toHaveURL(/signup/);
  await signUp(page);
  await expectBalance(page, "60");

  await make(page, "text-to-image", "A red fox by a mountain lake");
  await expectBalance(page, "55");
  const picture = page.getByRole("img", { name: "Made from: A red fox by a mountain lake" }).first();
  await picture.scrollIntoViewIfNeeded();
  await expect.poll(() => picture.evaluate((image: HTMLImageElement) => image.complete)).toBe(true);
  const file = await page.request.get((await picture.getAttribute("src")) ?? "");
  expect(file.headers()["content-type"]).toBe("image/png");

  await make(page, "chat-message", "What is 12 * (3 + 4)?");
  await expectBalance(page, "54");
  await expect(page.locator(".creation .answer").first()).toContainText("84");

  for (const left of ["45", "36", "27", "18", "9"]) {
    await make(page, "audio", NINE_CREDITS_OF_WORDS);
    await expectBalance(page, left);
  }
  await make(page, "text-to-image", "A garden in the morning");
  await expectBalance(page, "4");

  await make(page, "text-to-image", "The last picture & its frame");
  const prompt = page.getByRole("alert").filter({ hasText: "Not enough credits" });
  await expect(prompt.getByText("Short by")).toBeVisible();
  await expect(prompt.locator(".is-short dd")).toHaveText("1");
  await expectBalance(page, "4");

  await prompt.getByRole("button", { name: "Buy 100 credits for $5" }).click();
  await expect(page.getByText("This is a demonstration.")).toBeVisible();
  await page.getByRole("button", { name: "Pay $5" }).click();
  await expect(page.getByRole("heading", { name: "Paid" })).toBeVisible();
  await expectBalance(page, "104");
  await page.getByRole("link", { name: "Go on where you were" }).click();
  await alive(page);
  await expect(page.getByRole("textbox")).toHaveValue("The last picture & its frame");
  await page.locator("button.spend").click();
  await expectBalance(page, "99");

  await page.goto("/history");
  const amounts = page.locator("tbody td:nth-child(4)");
  await expect(amounts).toHaveText(["−5", "+100", "−5", "−9", "−9", "−9", "−9", "−9", "−1", "−5", "+60"]);
  const balances = page.locator("tbody td:nth-child(5)");
  await expect(balances).toHaveText(["99", "104", "4", "9", "18", "27", "36", "45", "54", "55", "60"]);
  // Free credits went before bought ones: the last picture took the rest of the first grant.
  await expect(page.locator("tbody tr").first().locator(".draws li")).toHaveText([/Sign-up credits −4/, /Purchased credits −1/]);
});

test("a failed generation costs nothing and the history says why", async ({ page }) => {
  await signUp(page);
  await make(page, "text-to-image", "please /fail");
  await expect(page.getByText("It cost you nothing: the credits are back.")).toBeVisible();
  await expectBalance(page, "60");
  await page.goto("/history?only=hold");
  await expect(page.getByText("Not charged").last()).toBeVisible();
  await expect(page.getByText("it failed on purpose")).toBeVisible();
});

test("a plan is upgraded once, however often it is paid", async ({ page }) => {
  await signUp(page);
  await page.goto("/plans?interval=year");
  await alive(page);
  const premium = page.locator("[data-plan=premium]");
  await expect(premium.getByText("$290")).toBeVisible();
  await expect(premium.getByText("saves $58 a year")).toBeVisible();
  await expect(page.locator("[data-plan=basic]").getByText("saves")).toHaveCount(0);
  await page.getByRole("button", { name: "Upgrade to Basic" }).click();
  await expect(page.getByText("Basic plan, yearly")).toBeVisible();
  await expect(page.getByText("$210").first()).toBeVisible();
  const order = new URL(page.url()).pathname.split("/").pop() ?? "";

  await page.getByRole("button", { name: "Let the payment be declined" }).click();
  await expect(page.getByRole("heading", { name: "Declined" })).toBeVisible();
  await expectBalance(page, "60");
  await page.getByRole("link", { name: "Try again" }).click();
  await alive(page);
  await page.getByRole("button", { name: "Pay $210" }).click();
  await expect(page.getByRole("heading", { name: "Paid" })).toBeVisible();
  await expectBalance(page, "560");

  const headers = { accept: "text/html", origin: new URL(page.url()).origin };
  const paying = () => page.request.post("/fn/approve_payment", { form: { order }, headers });
  for (const answer of await Promise.all(Array.from({ length: 10 }, paying))) expect(answer.ok()).toBe(true);
  await page.reload();
  await expectBalance(page, "560");
  await page.goto("/plans");
  await expect(page.locator("[data-plan=basic]").getByText("Your plan")).toBeVisible();
  await page.goto("/history?only=credit");
  await expect(page.locator("tbody tr")).toHaveCount(2);
});

test("pages of one's own ask who is there, and lead back", async ({ page }) => {
  await page.goto("/history?only=debit");
  await expect(page).toHaveURL(/\/signin\?next=%2Fhistory%3Fonly%3Ddebit/);
  const answer = await page.request.get("/nowhere");
  expect(answer.status()).toBe(404);
});
