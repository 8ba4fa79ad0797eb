// comp verify on models of the repository: its lines, its JSON, and how it fails.
import { join } from "node:path";
import { expect, test } from "vitest";
import { renderCheck } from "../../src/cli/verify.ts";
import type { Verification } from "../../src/events/model.ts";
import { runCommand } from "../helpers/command-line.ts";
import { edit, editJson } from "../helpers/damage.ts";
import { shortDemo } from "../helpers/small-models.ts";
import { temporaryFolder } from "../helpers/temporary.ts";

test("a line for each check with its figures, and that all have passed", async () => {
  const { code, out, err } = await runCommand("verify", shortDemo(temporaryFolder(), 1), "--threads", "1");
  expect([code, err]).toEqual([0, ""]);
  const lines = [
    /^files {11}1 with weights of [\d.]+ MB, whole$/,
    /^tensors {9}11 as described, none missing: [\d.]+ [kM] parameters, 11 F16$/,
    /^values {10}[\d,]+, all finite$/,
    /^tokenizer {7}2,048 tokens, BOS 0, end of text 0; 93 characters to \d+ tokens and back$/,
    /^forward {9}perplexity [\d,.]+ on 255 tokens of the bundled text, then tokens \d+, \d+, \d+, \d+$/,
    /^llama\.cpp {7}not asked: a folder, which llama\.cpp does not read$/,
    /^all passed {6}in [\d.]+ s$/,
  ];
  expect(out).toHaveLength(lines.length);
  for (const [i, line] of out.entries()) expect(line).toMatch(lines[i]!);
});

test("tokens that llama.cpp chose are told", () => {
  expect(renderCheck({ name: "llama.cpp", loaded: true, firstTokens: [4, 2] })).toBe(
    "llama.cpp       loads it, then tokens 4, 2",
  );
});

test("--json prints one object", async () => {
  const model = shortDemo(temporaryFolder(), 1);
  const { code, out } = await runCommand("verify", model, "--threads", "1", "--json");
  expect(code).toBe(0);
  expect(out).toHaveLength(1);
  const { checks, ...rest } = JSON.parse(out[0]!) as Verification;
  expect(rest).toMatchObject({ model, format: "safetensors", family: "llama" });
  expect(checks.map(({ name }) => name)).toEqual(["files", "tensors", "values", "tokenizer", "forward", "llama.cpp"]);
});

test("what does not pass is one line and how to go on, after the checks that did", async () => {
  const model = shortDemo(temporaryFolder(), 1);
  editJson(join(model, "config.json"), (config) => ({ ...config, num_hidden_layers: 2 }));
  const { code, out, err } = await runCommand("verify", model);
  expect(code).toBe(1);
  expect(out.map((line) => line.split(" ", 1)[0])).toEqual(["files"]);
  expect(err).toMatch(
    /^comp: .* lacks tensor "model\.layers\.1\.\S+"\n {2}config\.json describes a llama of 2 layers.*\n$/,
  );
});

test("a file that cannot be opened fails as all commands do", async () => {
  const model = shortDemo(temporaryFolder(), 1);
  edit(join(model, "model.safetensors"), (bytes) => bytes.subarray(0, 100));
  const { code, out, err } = await runCommand("verify", model, "--json");
  expect([code, out]).toEqual([1, [""]]);
  expect(err).toContain("model.safetensors is damaged");
});
