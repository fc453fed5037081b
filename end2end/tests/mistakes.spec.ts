// What people get wrong: each gets a clear sentence, keeps what was typed, and changes nothing.
import { alive, expect, expectBalance, make, newAddress, PASSWORD, signIn, signUp, test } from "./people";

test.use({ expectedStatuses: [401, 402, 403, 409, 422] });

test("a wrong password and an unknown address are answered alike", async ({ page, browser }) => {
  const email = await signUp(page);
  for (const address of [email, newAddress()]) {
    const stranger = await browser.newPage();
    await signIn(stranger, address, "wrong password");
    await expect(stranger.getByText("The address or the password is wrong.")).toBeVisible();
    await expect(stranger.getByLabel("E-mail address")).toHaveValue(address);
    await stranger.close();
  }
});

test("a taken address, a short password and a missing name are named beside their field", async ({ page, browser }) => {
  const email = await signUp(page);
  const other = await browser.newPage();
  const attempt = async (name: string, address: string, password: string) => {
    await other.goto("/signup");
    await alive(other);
    await other.getByLabel("Name").fill(name);
    await other.getByLabel("E-mail address").fill(address);
    await other.getByLabel("Password").fill(password);
    await other.getByRole("button", { name: "Sign up" }).click();
  };
  await attempt("Bob", email.toUpperCase(), PASSWORD);
  await expect(other.locator("#email-error")).toHaveText("This address has an account already. Sign in instead.");
  await expect(other.getByLabel("Name")).toHaveValue("Bob");
  await attempt("Bob", newAddress(), "short");
  await expect(other.locator("#password-error")).toHaveText("A password needs at least 8 characters.");
  await attempt(" ", newAddress(), PASSWORD);
  await expect(other.locator("#name-error")).toHaveText("Please enter your name.");
  await attempt("Bob", "bob@nowhere", PASSWORD);
  await expect(other.locator("#email-error")).toContainText("This is not an e-mail address.");
  await other.close();
});

test("an empty prompt is asked for and costs nothing", async ({ page }) => {
  await signUp(page);
  await make(page, "text-to-image", "   ");
  await expect(page.locator("#prompt-error")).toHaveText("Please write what you would like.");
  await expectBalance(page, "60");
});

test("signing out ends the session", async ({ page }) => {
  const email = await signUp(page);
  await alive(page);
  await page.getByLabel("Account of Ann Example").click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("link", { name: "Sign in" })).toBeVisible();
  await page.goto("/dashboard");
  await expect(page).toHaveURL(/signin/);
  await signIn(page, email);
  await expect(page.getByRole("heading", { name: "Hello, Ann Example" })).toBeVisible();
});

test("an administrator adjusts with a reason, and nobody else sees the page", async ({ page, browser }) => {
  const email = await signUp(page);
  await page.goto("/admin");
  await expect(page.getByText("Only an administrator may see this.")).toBeVisible();

  const admin = await browser.newPage();
  await signIn(admin, "admin@example.com");
  await expect(admin.getByRole("heading", { name: "Hello, Administrator" })).toBeVisible();
  await admin.goto("/admin");
  await alive(admin);
  await admin.getByLabel("Address, name or id").fill(email);
  await admin.getByRole("button", { name: "Search" }).click();
  await admin.getByRole("link", { name: email }).click();
  await expect(admin.getByRole("heading", { name: "Adjust" })).toBeVisible();
  const account = admin.url();

  const adjust = async (amount: string, reason: string) => {
    await admin.goto(account);
    await alive(admin);
    await admin.getByLabel("Credits", { exact: true }).fill(amount);
    await admin.getByLabel("Reason").fill(reason);
    await admin.getByRole("button", { name: "Adjust" }).click();
  };
  await adjust("-10", "");
  await expect(admin.locator("#reason-error")).toContainText("Please say why.");
  await adjust("ten", "because");
  await expect(admin.locator("#amount-error")).toContainText("Enter a whole number other than zero");
  await adjust("99999999999999999999", "too much");
  await expect(admin.locator("#amount-error")).toContainText("up to 9,007,199,254,740,991");
  await adjust("-61", "more than there is");
  await expect(admin.getByText("This takes 61 credits, and 60 are available.")).toBeVisible();
  await page.reload();
  await expectBalance(page, "60");

  await adjust("-10", "Typed by mistake");
  await expect(admin.getByText("Done. It stands in the history and in the audit log.")).toBeVisible();
  await expect(admin.locator(".audit-list")).toContainText("adjust −10 by admin@example.com: Typed by mistake");
  await adjust("+1,000", "Goodwill");
  await expect(admin.locator(".audit-list li")).toHaveCount(2);
  await admin.close();

  await page.goto("/history");
  await expectBalance(page, "1,050");
  await expect(page.getByText("Typed by mistake")).toBeVisible();
});

test("the preview shows before and after", async ({ page, browser }) => {
  const email = await signUp(page);
  const admin = await browser.newPage();
  await signIn(admin, "admin@example.com");
  await expect(admin.getByRole("heading", { name: "Hello, Administrator" })).toBeVisible();
  await admin.goto(`/admin?q=${encodeURIComponent(email)}`);
  await admin.getByRole("link", { name: email }).click();
  await expect(admin.getByRole("heading", { name: "Adjust" })).toBeVisible();
  await alive(admin);
  await admin.getByLabel("Credits", { exact: true }).fill("-15");
  const preview = admin.getByRole("button", { name: "Preview" });
  if (await preview.count()) await preview.click();
  await expect(admin.locator("output.preview")).toHaveText("Available: 60 → 45");
  await admin.close();
});
