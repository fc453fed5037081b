// Everything that the studio makes, with JavaScript and without it.
import { alive, expect, expectBalance, make, signUp, test } from "./people";
import { deflateSync, crc32 } from "node:zlib";

test.use({ expectedStatuses: [402, 502] });

/** A small PNG with a run of colours. */
function picture(width: number, height: number): Buffer {
  const chunk = (kind: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(kind), data]);
    const size = Buffer.alloc(4);
    size.writeUInt32BE(data.length);
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([size, body, sum]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const row = (y: number) => [0, ...Array.from({ length: width }, (_, x) => [x * 5, y * 5, 120]).flat().map((n) => n & 255)];
  const rows = Buffer.from(Array.from({ length: height }, (_, y) => row(y)).flat());
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]);
  return Buffer.concat([signature, chunk("IHDR", head), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
}

const file = { name: "holiday.png", mimeType: "image/png", buffer: picture(48, 32) };

test("a picture of one's own is enlarged, and the result is changed", async ({ page }) => {
  await signUp(page);
  await page.goto("/studio?feature=upscale");
  await alive(page);
  await expect(page.locator("button.spend")).toContainText("5 credits");
  await page.getByLabel("Picture file").setInputFiles(file);
  await page.locator("button.spend").click();
  await expect(page).toHaveURL(/made=/);
  await expectBalance(page, "55");
  const large = page.locator(".is-new img");
  await large.scrollIntoViewIfNeeded();
  await expect.poll(() => large.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBe(96);

  await page.locator(".is-new").getByRole("link", { name: "Change" }).click();
  await alive(page);
  await expect(page.locator(".source-earlier input").first()).toBeChecked();
  await page.getByRole("textbox").fill("A pencil sketch");
  await page.locator("button.spend").click();
  await expectBalance(page, "50");
  await expect(page.getByRole("img", { name: "Made from: A pencil sketch" }).first()).toBeVisible();
});

test("a video costs by its length, and plays when it is asked to", async ({ page }) => {
  await signUp(page);
  await page.goto("/studio?feature=video");
  await alive(page);
  await expect(page.locator("button.spend")).toContainText("25 credits");
  await page.getByRole("textbox").fill("Snow over the sea");
  await page.getByLabel("How long?").selectOption("2");
  await page.locator("button.spend").click();
  await expectBalance(page, "35");
  const clip = page.locator(".gallery details.clip").first();
  if (!(await clip.evaluate((element: HTMLDetailsElement) => element.open))) await clip.locator("summary").click();
  const moving = clip.getByRole("img", { name: "Moving picture made from: Snow over the sea" });
  await moving.scrollIntoViewIfNeeded();
  await expect.poll(() => moving.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBe(384);
});

test("the cost of a video follows its length @script", async ({ page }) => {
  await signUp(page);
  await page.goto("/studio?feature=video");
  await alive(page);
  await page.getByLabel("How long?").selectOption("6");
  await expect(page.locator("button.spend")).toContainText("50 credits");
  await expect(page.locator(".balance-after")).toContainText("60 → 10");
});

test("a figure speaks a text", async ({ page }) => {
  await signUp(page);
  await make(page, "lipsync", "Hello there, I am glad that you came");
  await expectBalance(page, "40");
  await expect(page.locator(".gallery details.clip").first()).toBeVisible();
});

test("what cannot be a picture is refused beside its field, and costs nothing", async ({ page }) => {
  await signUp(page);
  await page.goto("/studio?feature=image-to-image");
  await alive(page);
  await page.getByRole("textbox").fill("In blue");
  await page.locator("button.spend").click();
  await expect(page.getByText("Please choose a picture.")).toBeVisible();
  await expect(page.getByRole("textbox")).toHaveValue("In blue");
  await alive(page);
  await page.getByLabel("Picture file").setInputFiles({ ...file, buffer: Buffer.from("not a picture at all") });
  await page.locator("button.spend").click();
  await expect(page.getByText("This is no PNG or JPEG picture, or it is broken.")).toBeVisible();
  await expectBalance(page, "60");
});
