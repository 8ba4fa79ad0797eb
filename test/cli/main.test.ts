import { mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { DEMO_MODEL, runNode, whyNotBuilt } from "../helpers/built.ts";

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
