// What JavaScript adds: things that happen in place.
import { alive, expect, expectBalance, make, signUp, test } from "./people";

test.describe("@script", () => {
  test("every page comes alive with a quiet console", async ({ page }) => {
    for (const path of ["/", "/signup", "/signin", "/plans"]) {
      await page.goto(path);
      await alive(page);
    }
    await signUp(page);
    for (const path of ["/", "/dashboard", "/studio", "/studio?feature=audio", "/plans", "/buy", "/history", "/billing", "/settings/keys"]) {
      await page.goto(path);
      await alive(page);
    }
  });

  test("the cost follows what is typed, and the balance is shown before and after", async ({ page }) => {
    await signUp(page);
    await page.goto("/studio?feature=audio");
    await alive(page);
    const button = page.locator("button.spend");
    await expect(button).toContainText("1 credit");
    await page.getByRole("textbox").fill("a".repeat(226));
    await expect(button).toContainText("2 credits");
    await expect(page.locator(".balance-after")).toHaveText("60 → 58");
    await page.getByRole("navigation", { name: "What to make" }).getByRole("link", { name: "Image" }).click();
    await expect(button).toContainText("5 credits");
    await expect(page.getByRole("textbox")).toHaveValue("a".repeat(226));
  });

  test("the badge follows without a new page, and what was typed stays", async ({ page }) => {
    await signUp(page);
    await make(page, "chat-message", "How are you?");
    await expectBalance(page, "59");
    await expect(page.getByText("Done. 1 credit used, 59 left.")).toBeVisible();
    await expect(page.getByRole("textbox")).toHaveValue("How are you?");
    await expect(page.locator(".gallery li")).toHaveCount(1);
  });

  test("the purchase dialog opens in place, closes with Escape and gives the focus back", async ({ page }) => {
    await signUp(page);
    await page.goto("/studio");
    await alive(page);
    await page.locator(".credit-badge summary").click();
    const trigger = page.getByRole("link", { name: "Add credits" });
    await trigger.click();
    const dialog = page.getByRole("dialog", { name: "Add credits" });
    await expect(dialog.getByRole("button", { name: /2,000/ })).toBeVisible();
    await dialog.getByRole("link", { name: "Yearly" }).click();
    await expect(dialog.getByText("$210")).toBeVisible();
    await page.keyboard.press("Escape");
    await expect(dialog).toBeHidden();
    await expect(trigger).toBeFocused();
    await trigger.click();
    await dialog.getByRole("button", { name: /100/ }).first().click();
    await expect(page.getByRole("heading", { name: "Checkout" })).toBeVisible();
    await expect(dialog).toBeHidden();
    await page.getByRole("button", { name: "Pay $5" }).click();
    await expect(page.getByRole("heading", { name: "Paid" })).toBeVisible();
    await expectBalance(page, "160");
  });

  test("menus close when people go on, press Escape or turn to something else", async ({ page }) => {
    await signUp(page);
    await alive(page);
    const menu = page.locator(".credit-badge");
    const open = () => menu.evaluate((details: HTMLDetailsElement) => details.open);
    await menu.locator("summary").click();
    expect(await open()).toBe(true);
    await page.keyboard.press("Escape");
    await expect.poll(open).toBe(false);
    await expect(menu.locator("summary")).toBeFocused();
    await menu.locator("summary").click();
    await page.getByRole("link", { name: "See every movement" }).click();
    await expect(page.getByRole("heading", { name: "History" })).toBeVisible();
    await expect.poll(open).toBe(false);
    await expect(page.getByRole("link", { name: "History", exact: true })).toHaveAttribute("aria-current", "page");
  });

  test("chips filter the history in place", async ({ page }) => {
    await signUp(page);
    await make(page, "chat-message", "Hello");
    await expectBalance(page, "59");
    await page.goto("/history");
    await alive(page);
    await expect(page.locator("tbody tr")).toHaveCount(2);
    await page.getByRole("link", { name: "Spent", exact: true }).click();
    await expect(page.locator("tbody tr")).toHaveCount(1);
    await expect(page).toHaveURL(/only=debit/);
    await page.goBack();
    await expect(page.locator("tbody tr")).toHaveCount(2);
  });
});
