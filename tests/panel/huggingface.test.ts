// The page for the Hugging Face token, as a person meets it.
import assert from "node:assert/strict";
import { operator, people, user } from "../rpc/lib/people.ts";
import { key, nothingLeaked, test } from "./lib/panel.ts";

const { admin } = await people("panel-hf");
const anew = async (name: string) => await user(`panel-hf-${name}`);
const PATH = "/huggingface";

test("a token is saved, and from then on only its mask is to be seen, also after loading the page again", async (open) => {
  const page = await open(await anew("saver"), PATH);
  await page.sees("No token of your own yet");
  const token = key.huggingface();
  await page.type("Access token", token);
  await page.find("button", "Save Token").click();
  await page.sees("Your token is saved");
  await page.sees("Verified");
  assert.equal(await page.page.getByLabel("New access token").first().inputValue(), "");
  await page.remembersNoValue();
  await page.page.reload();
  await page.sees(`hf_•••••••••••••${token.slice(-4)}`);
  await page.sees("Verified");
});

test("what is typed can be shown, and is hidden again once it was saved", async (open) => {
  const page = await open(await anew("shower"), PATH);
  const field = page.page.locator("input.hftok-code");
  await field.fill(key.huggingface());
  assert.equal(await field.getAttribute("type"), "password");
  await page.find("button", "Show Access token").click();
  assert.equal(await field.getAttribute("type"), "text");
  await page.find("button", "Save Token").click();
  await page.sees("Your token is saved");
  assert.equal(await field.getAttribute("type"), "password");
});

test("a token is tested before it is saved: the field keeps it, nothing is stored", async (open) => {
  const page = await open(await anew("tester"), PATH);
  const bad = key.huggingface("bad");
  await page.type("Access token", bad);
  await page.find("button", "Test Connection").click();
  await page.sees("Failed to verify credentials");
  await page.sees("Hugging Face refuses the credential.");
  assert.equal(await page.page.locator("input.hftok-code").inputValue(), bad);
  await page.type("Access token", key.huggingface());
  await page.find("button", "Test Connection").click();
  await page.sees("Connected");
  await page.page.locator("input.hftok-code").fill("");
  await page.page.reload();
  await page.sees("No token of your own yet");
});

test("without a token there is nothing to test or to save, and the field says so", async (open) => {
  const page = await open(await anew("empty"), PATH);
  await page.find("button", "Test Connection").click();
  await page.sees("Enter a token, or save one, to test the connection.");
  await page.type("Access token", "h");
  await page.seesNo("Enter a token, or save one, to test the connection.");
});

test("a stored token is tested without being entered, and one that is refused says so in its state", async (open) => {
  const who = await anew("stored");
  await who.call("save_hf_token", { p_token: key.huggingface("bad") });
  const page = await open(who, PATH);
  await page.sees("Not tested");
  await page.find("button", "Test Connection").click();
  await page.sees("Failed to verify credentials");
  await page.sees("Refused");
});

test("what hftok refuses to store is said, with who must act, and the field is empty", async (open) => {
  const page = await open(await anew("refused"), PATH);
  page.watch.expects(/400/);
  await page.type("Access token", key.openai());
  await page.find("button", "Save Token").click();
  await page.sees("This cannot be used as it is.");
  await page.sees("Correct it and save again.");
  await page.sees("bad_input");
  assert.equal(await page.page.locator("input.hftok-code").inputValue(), "");
});

test("a token is removed after a question, and Escape leaves it", async (open) => {
  const who = await anew("remover");
  await who.call("save_hf_token", { p_token: key.huggingface() });
  const page = await open(who, PATH);
  await page.find("button", "Remove").click();
  await page.sees("Remove your Hugging Face token?");
  await page.page.keyboard.press("Escape");
  await page.seesNo("Remove your Hugging Face token?");
  await page.find("button", "Remove").click();
  await page.page.getByRole("alertdialog").getByRole("button", { name: "Remove" }).click();
  await page.sees("Your token was removed");
  await page.sees("No token of your own yet");
});

test("the page tells whether the platform has a token, and where to get one of one's own", async (open) => {
  const who = await anew("platform");
  const page = await open(who, PATH);
  await page.sees("The platform has no token");
  const link = page.find("link", /Get Token/);
  assert.equal(await link.getAttribute("href"), "https://huggingface.co/settings/tokens");
  assert.equal(await link.getAttribute("rel"), "noopener noreferrer");
  await admin.call("save_hf_token", { p_token: key.huggingface(), p_global: true });
  try {
    await page.page.reload();
    await page.sees("The platform’s token is configured");
    await page.sees("Requests work without a token of your own");
  } finally {
    await admin.call("delete_credential", { p_provider: "huggingface", p_global: true });
  }
});

test("in Spanish it has the labels that were asked for", async (open) => {
  const page = await open(await anew("spanish"), PATH, { locale: "es" });
  await page.find("button", "Guardar Token").waitFor();
  await page.find("link", /Obtener Token/).waitFor();
  await page.type("Token de acceso", key.huggingface());
  await page.find("button", "Probar Conexión").click();
  await page.sees("Conectado");
  assert.equal(await page.page.locator("html").getAttribute("lang"), "es");
  await page.page.locator("input.hftok-code").fill("");
});

test("while the vault is sealed the mask stays in view, and saving says who must act", async (open) => {
  const who = await anew("sealed");
  await who.call("save_hf_token", { p_token: key.huggingface() });
  await operator.call("seal");
  try {
    const page = await open(who, PATH);
    page.watch.expects(/503/);
    await page.sees(/^hf_•+/);
    await page.type("New access token", key.huggingface());
    await page.find("button", "Save Token").click();
    await page.sees("The vault is sealed");
    await page.sees("For operators:");
    await page.isAccessible();
  } finally {
    await operator.call("unseal");
  }
});

nothingLeaked();
