// The probes before and after a pruning: asked of the models that they are told of, kept in the cache, and without a say in the bytes.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test, vi } from "vitest";
import { askProbes, encodeProbes } from "../../src/evaluate/probes/ask.ts";
import type { MeasuredResult, ProbeComparison, PruneEvent } from "../../src/events/prune.ts";
import { nodeBackend } from "../../src/node/host.ts";
import type { PruneRequest } from "../../src/node/prune.ts";
import { openTokenizer } from "../../src/tokenizer/tokenizer.ts";
import { eventsOf } from "../helpers/prune-demo.ts";
import { shortDemo, TINY_WINDOWS, tinyWithTokenizer } from "../helpers/small-models.ts";
import { sharedFolder, temporaryFolder } from "../helpers/temporary.ts";
import { withModel } from "../helpers/written.ts";

const shared = sharedFolder();
const model = shortDemo(shared, 2);

beforeEach(() => {
  vi.stubEnv("COMP_CACHE", join(shared, "cache"));
  vi.stubEnv("COMP_CACHE_SIZE", "1GB");
});

/** By magnitude: nothing is measured on the dense model but the probes. */
async function run(request: Partial<PruneRequest>): Promise<{ result: MeasuredResult; events: PruneEvent[] }> {
  const output = join(temporaryFolder(), "out");
  const events = await eventsOf({ model, preset: "magnitude", samples: 4, ...request, output });
  const last = events.at(-1)!;
  if (last.type !== "done" || last.result.quality === undefined) throw new Error("no figures");
  return { result: last.result, events };
}

/** What a model answers to 3 questions of each probe. */
const answersOf = (path: string, greedyTokens: number) =>
  withModel(path, async (opened) => {
    const tokenizer = await openTokenizer(opened.checkpoint);
    const encoded = encodeProbes(tokenizer, opened.spec, { seed: 0, questions: 3, greedyTokens });
    return askProbes(nodeBackend(1), opened, encoded, { budgetBytes: 2 ** 30, onLayer: () => undefined });
  });

const countOf = (events: readonly PruneEvent[]): number =>
  events.filter((event) => event.type === "stage" && event.name === "evaluate").length;

test("both models are asked, and result, card and record tell", async () => {
  const [{ result, events }, without] = [await run({ probes: 3 }), await run({ probes: 0 })];
  const { questions, before, after } = result.probes as ProbeComparison;
  expect(questions).toBe(3);
  expect(before).toEqual(await answersOf(model, 32));
  expect(after).toEqual(await answersOf(result.output, 32));
  const card = readFileSync(join(result.output, "README.md"), "utf8");
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  expect(card).toContain(`| code | ${percent(before.code)} | ${percent(after.code)} |`);
  expect(card).toContain("3 questions each: a share has a standard error of up to 29 points");
  const record = JSON.parse(readFileSync(join(result.output, "pruning.json"), "utf8")) as MeasuredResult;
  expect(record.probes).toEqual(result.probes);
  expect(record.options).not.toHaveProperty("probes");

  // what the dense model said is in the cache by now
  const again = await run({ probes: 3 });
  expect(again.result.probes).toEqual(result.probes);
  expect(countOf(again.events)).toBe(countOf(events) / 2);

  expect(without.result).not.toHaveProperty("probes");
  expect(countOf(without.events)).toBe(0);
  const weightsOf = ({ output }: MeasuredResult): Buffer => readFileSync(join(output, "model.safetensors"));
  expect(weightsOf(without.result).equals(weightsOf(result))).toBe(true);
});

test("a tokenizer that cannot spell them is a reason, not a failure", async () => {
  const request = { model: tinyWithTokenizer(shared, "llama"), ...TINY_WINDOWS, probes: 2 };
  const { result } = await run(request);
  expect(result.probes).toEqual({ skipped: "the tokenizer cannot spell the probes" });
  const card = readFileSync(join(result.output, "README.md"), "utf8");
  expect(card).toContain("Not asked: the tokenizer cannot spell the probes.");
});

test("without greedy texts there is no share of them", async () => {
  const { freshText, ...shares } = await answersOf(model, 32);
  expect(freshText).toBeGreaterThan(0);
  expect(await answersOf(model, 0)).toEqual(shares);
});
