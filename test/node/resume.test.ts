// Runs of the built command line that are killed at some moment, and the same command once more.
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { PruneEvent } from "../../src/events/prune.ts";
import { DEMO_MODEL, ROOT, whyNotBuilt } from "../helpers/built.ts";
import { prose } from "../helpers/prune-demo.ts";
import { sharedFolder, temporaryFolder } from "../helpers/temporary.ts";

const reason = whyNotBuilt();
const LAYERS = 8;

const model = sharedFolder();
const texts = join(sharedFolder(), "prose.txt");
beforeAll(() => {
  cpSync(DEMO_MODEL, model, { recursive: true });
  writeFileSync(texts, prose.text);
});

interface Run {
  readonly events: readonly PruneEvent[];
  readonly err: string;
  readonly code: number | null;
}

/** Called with each event; what it returns true for is the last that the process lives to tell, or nearly. */
type Killer = (event: PruneEvent, pid: number) => boolean | Promise<boolean>;

/** Prunes, on little text, in a process with a folder of its own for temporary files. */
async function pruning(output: string, flags: readonly string[] = [], kill: Killer = () => false): Promise<Run> {
  const given = ["--samples", "8", "--context", "48", "--own-text", "0", "--threads", "1", "--calibration", texts];
  const args = ["prune", model, "--sparsity", "0.2", "--layers", "3,", ...given, "--json", "-o", output, ...flags];
  const temporary = join(output, "../tmp");
  mkdirSync(temporary, { recursive: true });
  const env = { ...process.env, TMPDIR: temporary };
  const child = spawn(process.execPath, [join(ROOT, "dist/cli/main.js"), ...args], { env });
  let [rest, err] = ["", ""];
  child.stderr.setEncoding("utf8").on("data", (text) => {
    err += text;
  });
  const closed = new Promise<number | null>((resolve) => child.on("close", resolve));
  const events: PruneEvent[] = [];
  for await (const text of child.stdout.setEncoding("utf8")) {
    const lines = `${rest}${text}`.split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      events.push(JSON.parse(line));
      if (await kill(events.at(-1)!, child.pid!)) child.kill("SIGKILL");
    }
  }
  return { events, err, code: await closed };
}

const at =
  (name: string, done = 0): Killer =>
  (event) =>
    event.type === "stage" && event.name === name && event.done === done;

const layersOf = ({ events }: Run): number[] =>
  events.flatMap((event) => (event.type === "layer" ? [event.index] : []));
const resumed = ({ events }: Run) => events.find((event) => event.type === "resume");
const weights = (output: string): Buffer =>
  readFileSync(output.endsWith(".gguf") ? output : join(output, "model.safetensors"));
/** All of ours that lies beside an output and in the folder for temporary files, where onnxruntime has something too. */
const lying = (output: string): string[] =>
  ["..", "../tmp"].flatMap((place) => readdirSync(join(output, place))).filter((name) => /^(out|\.?comp)/.test(name));

describe.skipIf(reason)(`a run that is killed${reason ? ` (${reason})` : ""}`, () => {
  const [whole, wholeFile] = [join(sharedFolder(), "whole"), join(sharedFolder(), "whole.gguf")];
  beforeAll(async () => {
    expect((await pruning(whole)).code).toBe(0);
    expect((await pruning(wholeFile, ["--dtype", "q8_0"])).code).toBe(0);
  });

  test("goes on behind the last layer that was finished, again and again, and ends in the same bytes", async () => {
    const output = join(temporaryFolder(), "out");
    let done = 0;
    for (const next of [2, 5]) {
      const killed = await pruning(output, [], at("prune", next));
      expect(killed.code).toBeNull();
      expect(readdirSync(join(output, ".."))).not.toContain("out");
      if (done > 0) expect(resumed(killed)).toMatchObject({ total: LAYERS });
      expect(layersOf(killed)[0] ?? next).toBeGreaterThanOrEqual(done);
      done = next;
    }
    const last = await pruning(output);
    expect([last.code, last.err]).toEqual([0, expect.stringMatching(/^comp: going on after layer [5-8] of 8\n$/)]);
    const { done: found } = resumed(last)!;
    expect(layersOf(last)).toEqual([0, 1, 2, 4, 5, 6, 7].filter((index) => index >= found));
    expect(last.events.filter(({ type }) => type === "stage")).not.toContainEqual(
      expect.objectContaining({ name: "gradient" }),
    );
    expect(weights(output).equals(weights(whole))).toBe(true);
    expect(lying(output)).toEqual(["out"]);
    const told = (folder: string) => {
      const { layers, ...record } = JSON.parse(readFileSync(join(folder, "pruning.json"), "utf8"));
      const facts = layers.map(({ elapsedSeconds: _, residentBytes: __, ...layer }: Record<string, unknown>) => layer);
      return { ...record, layers: facts, seconds: 0, peakBytes: 0 };
    };
    expect(told(output)).toEqual(told(whole));
  });

  test.each(["gradient", "write", "verify"])("at %s", async (stage) => {
    const output = join(temporaryFolder(), "out.gguf");
    const flags = ["--dtype", "q8_0"];
    const killed = await pruning(output, flags, at(stage));
    expect(killed.code).toBeNull();
    expect(readdirSync(join(output, ".."))).not.toContain("out.gguf");
    const again = await pruning(output, flags);
    expect(again.code).toBe(0);
    expect(resumed(again)).toEqual(stage === "gradient" ? undefined : { type: "resume", done: LAYERS, total: LAYERS });
    expect(weights(output).equals(weights(wholeFile))).toBe(true);
    expect(lying(output)).toEqual(["out.gguf"]);
  });

  test("begins anew where the source, the options or the texts have changed, and says so", async () => {
    const output = join(temporaryFolder(), "out");
    const thrownAway = "comp: warning: the work of an interrupted run is thrown away:";
    const file = join(model, "model.safetensors");
    await pruning(output, [], at("prune", 1));
    utimesSync(file, 1, statSync(file).mtimeMs / 1000 + 1);
    const changed = await pruning(output, [], at("prune", 1));
    expect(changed.err).toContain(`${thrownAway} the source has changed since\n`);
    expect(layersOf(changed)[0]).toBe(0);
    const other = await pruning(output, ["--seed", "7"]);
    expect(other.err).toContain(`${thrownAway} its options or texts were others\n`);
    expect([other.code, resumed(other), layersOf(other)[0]]).toEqual([0, undefined, 0]);
    expect(lying(output)).toEqual(["out"]);
  });

  test("keeps another run off its output as long as it lives", async () => {
    const output = join(temporaryFolder(), "out");
    let second: Run | undefined;
    let owner = 0;
    const first = await pruning(output, [], async (event, pid) => {
      if (!(await at("prune", 1)(event, pid))) return false;
      owner = pid;
      second = await pruning(output);
      return false;
    });
    expect([second!.code, second!.err]).toEqual([
      1,
      `comp: another run writes ${output} (process ${owner})\n  wait for it, or name another output\n`,
    ]);
    expect(first.code).toBe(0);
    expect(weights(output).equals(weights(whole))).toBe(true);
  });
});
