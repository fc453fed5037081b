// What the tests share: a page whose console is watched, people of their own, and the steps they take.
import { test as base, expect, type Page } from "@playwright/test";

/** A page that fails its test when the browser's console is not quiet. */
export const test = base.extend<{ expectedStatuses: number[] }>({
  // Answers that a test provokes; the browser reports each of them in its console.
  expectedStatuses: [[], { option: true }],
  page: async ({ page, expectedStatuses }, use) => {
    const heard: string[] = [];
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) heard.push(message.text());
    });
    page.on("pageerror", (error) => heard.push(String(error)));
    await use(page);
    const provoked = (text: string) => expectedStatuses.some((status) => text.includes(`status of ${status}`));
    expect(heard.filter((text) => !provoked(text))).toEqual([]);
  },
});

export { expect };

let count = 0;

/** An address that nobody else has. */
export function newAddress(): string {
  count += 1;
  return `p${process.pid}-${Date.now().toString(36)}-${count}@example.com`;
}

export const PASSWORD = "correct horse battery";

export async function signUp(page: Page, email = newAddress()): Promise<string> {
  await page.goto("/signup");
  await alive(page);
  await page.getByLabel("Name").fill("Ann Example");
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign up" }).click();
  await expect(page.getByRole("heading", { name: "Hello, Ann Example" })).toBeVisible();
  return email;
}

export async function signIn(page: Page, email: string, password = PASSWORD): Promise<void> {
  await page.goto("/signin");
  await alive(page);
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** The number in the badge of the header. */
export async function expectBalance(page: Page, credits: string): Promise<void> {
  await expect(page.getByTestId("balance")).toHaveText(credits);
}

/** Waits until the page has come alive, where it can. */
export async function alive(page: Page): Promise<void> {
  if (await runsScripts(page)) {
    await page.waitForFunction(() => document.documentElement.dataset.alive === "yes");
  }
}

async function runsScripts(page: Page): Promise<boolean> {
  return page.context().browser() !== null && test.info().project.use.javaScriptEnabled !== false;
}

/** Makes something in the studio. */
export async function make(page: Page, feature: string, prompt: string): Promise<void> {
  await page.goto(`/studio?feature=${feature}`);
  await alive(page);
  await page.getByRole("textbox").fill(prompt);
  await page.locator("button.spend").click();
}

/** A text whose sound takes 134 seconds: nine credits. */
export const NINE_CREDITS_OF_WORDS = "la ".repeat(666).trim();
