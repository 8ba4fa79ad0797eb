import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { DEMO_MODEL, ROOT, runNode, whyNotBuilt } from "../helpers/built.ts";
import { temporaryFolder } from "../helpers/temporary.ts";

const reason = whyNotBuilt();
const comp = "dist/cli/main.js";

describe.skipIf(reason)(`the built command line${reason ? ` (${reason})` : ""}`, () => {
  test("ends with 0 after help, 2 after a misspelt flag, 1 after a missing model", async () => {
    expect(await runNode(comp, ["--help"])).toMatchObject({ code: 0, err: "" });
    expect(await runNode(comp, ["prune", DEMO_MODEL, "--sparcity", "0.2"])).toEqual({
      code: 2,
      out: "",
      err: "comp: there is no flag --sparcity\n  did you mean --sparsity?\n",
    });
    expect((await runNode(comp, ["inspect", "no-such-model"])).code).toBe(1);
  });

  test.each([
    ["inspect", []],
    ["inspect", ["--json"]],
    ["generate", ["--max-tokens", "50"]],
    ["curve", ["--samples", "8", "--context", "64", "--preset", "wanda-sp", "--sparsity", "0.1,0.2,0.3"]],
    ["prune", ["--sparsity", "20", "--json"], 2],
  ])("%s %j ends without a word when nobody reads on", async (command, flags, code = 0) => {
    expect(await unread([command, DEMO_MODEL, ...flags], ["stdout", "stderr"])).toMatchObject({ code });
    if (code === 0) expect(await unread([command, DEMO_MODEL, ...flags], ["stdout"])).toEqual({ code, err: "" });
  });

  test("prune writes its model although nobody reads on", async () => {
    const output = join(temporaryFolder(), "out");
    const flags = ["--samples", "8", "--context", "64", "--preset", "wanda-sp", "-o", output];
    expect(await unread(["prune", DEMO_MODEL, ...flags], ["stdout"])).toEqual({ code: 0, err: "" });
    expect(readdirSync(output)).toContain("model.safetensors");
  });

  test.skipIf(!existsSync("/dev/full"))("a result that cannot be printed is a failure", async () => {
    const full = openSync("/dev/full", "w");
    const child = spawn(process.execPath, [join(ROOT, comp), "inspect", DEMO_MODEL], {
      stdio: ["ignore", full, "pipe"],
    });
    const { code, err } = await endOf(child);
    expect([code, err]).toEqual([1, expect.stringMatching(/^comp: cannot print the result: .*\n$/)]);
    closeSync(full);
  });

  test("Ctrl-C while pruning ends with 130 and leaves nothing behind", async () => {
    const folder = mkdtempSync(join(tmpdir(), "comp-interrupt-"));
    let sent = false; // a second signal would end it at once, without a word
    const { code, err } = await runNode(comp, ["prune", DEMO_MODEL, "-o", join(folder, "out")], (_, kill) => {
      if (!sent) kill("SIGINT");
      sent = true;
    });
    expect([code, err]).toEqual([130, "comp: stopped; nothing was written\n"]);
    expect(readdirSync(folder)).toEqual([]);
  });
});

/** Runs a command whose output nobody reads. */
function unread(args: readonly string[], streams: readonly ("stdout" | "stderr")[]) {
  const child = spawn(process.execPath, [join(ROOT, comp), ...args], { stdio: ["ignore", "pipe", "pipe"] });
  for (const name of streams) child[name].destroy();
  return endOf(child);
}

function endOf(child: ChildProcess): Promise<{ code: number | null; err: string }> {
  let err = "";
  child.stderr!.on("data", (text) => {
    err += text;
  });
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, err })));
}
