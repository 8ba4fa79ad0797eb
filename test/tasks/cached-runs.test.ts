// Runs that know the model from an earlier one: the same bytes, and nothing computed twice.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { CurveEvent, PruneEvent } from "../../src/events/prune.ts";
import { curve } from "../../src/node/measure.ts";
import type { PruneRequest } from "../../src/node/prune.ts";
import { eventsOf, prose, SMALL } from "../helpers/prune-demo.ts";
import { shortDemo } from "../helpers/small-models.ts";
import { sharedFolder, temporaryFolder } from "../helpers/temporary.ts";

const shared = sharedFolder();
const cache = join(shared, "cache");
const model = shortDemo(shared, 3);
/** One layer goes, so that layers are ranked, and nothing has to be tried. */
const own = { model, ownText: 0.5, samples: 8, context: 24, sparsity: 0.3, layers: 1 } as const;
const tried = { ...own, layers: "auto" } as const;

beforeEach(() => {
  vi.stubEnv("COMP_CACHE", cache);
  vi.stubEnv("COMP_CACHE_SIZE", "1GB");
});

/** The stages in which the dense model is looked at. */
const LOOKS = ["generate", "gradient", "ablation", "layer-importance", "neuron-importance", "dense-sums"];

const looksOf = (events: readonly (PruneEvent | CurveEvent)[]): string[] => [
  ...new Set(events.flatMap((event) => (event.type === "stage" && LOOKS.includes(event.name) ? [event.name] : []))),
];

let outputs = 0;

async function run(
  request: Partial<PruneRequest>,
): Promise<{ looks: string[]; weights: Buffer; events: PruneEvent[] }> {
  const output = join(shared, `out-${outputs++}`);
  const events = await eventsOf({ ...request, output });
  return { looks: looksOf(events), weights: readFileSync(join(output, "model.safetensors")), events };
}

describe("after a run of the default method", () => {
  beforeAll(async () => {
    vi.stubEnv("COMP_CACHE", cache);
    vi.stubEnv("COMP_CACHE_SIZE", "1GB");
    expect((await run(own)).looks).toEqual(["generate", "ablation", "gradient"]);
  });

  test("another size starts at the trials, whose sums are known, and gives the bytes of a run that knows nothing", async () => {
    const request = { ...tried, sparsity: 0.2 };
    expect((await run(tried)).looks).toEqual(["dense-sums"]);
    const [known, fresh] = [await run(request), await run({ ...request, noCache: true })];
    expect(known.looks).toEqual([]);
    expect(fresh.looks).toEqual(["generate", "ablation", "gradient", "dense-sums"]);
    expect(known.weights.equals(fresh.weights)).toBe(true);
    const resultOf = ({ events }: typeof known) => {
      const last = events.at(-1)!;
      if (last.type !== "done") throw new Error("no result");
      return [last.result.quality, last.result.splits, last.result.calibration, last.result.options];
    };
    expect(resultOf(known)).toEqual(resultOf(fresh));
  });

  test("so does a curve", async () => {
    const events: CurveEvent[] = [];
    for await (const event of curve({ ...SMALL, ...own, sparsity: [0.35] })) events.push(event);
    expect(looksOf(events)).toEqual([]);
    expect(events.at(-1)!.type).toBe("done");
  });

  test.each<[string, Partial<PruneRequest>, string[]]>([
    ["seed", { seed: 1 }, ["generate", "ablation", "gradient"]],
    ["text", { calibration: [{ ...prose, text: prose.text.slice(20_000) }] }, ["ablation", "gradient"]],
    ["model", { model: shortDemo(sharedFolder(), 2) }, ["generate", "ablation", "gradient"]],
  ])("another %s is looked at anew", async (_, over, looks) => {
    expect((await run({ ...own, ...over })).looks).toEqual(looks);
  });

  test("damaged entries are computed again, to the same bytes", async () => {
    const whole = await run(own);
    expect(whole.looks).toEqual([]);
    for (const name of readdirSync(cache))
      writeFileSync(join(cache, name), readFileSync(join(cache, name)).subarray(1));
    const again = await run(own);
    expect(again.looks).toEqual(["generate", "ablation", "gradient"]);
    expect(again.weights.equals(whole.weights)).toBe(true);
    expect((await run(own)).looks).toEqual([]);
  });
});

test.each<[string, Partial<PruneRequest>, string[]]>([
  ["by what each layer costs", { widths: "per-layer", prune: "all", multipleOf: 1 }, ["gradient", "ablation"]],
  ["by one ranking of all neurons", { preset: "flap" }, ["neuron-importance"]],
  ["to first order", { preset: "llm-pruner", spare: [0, 0] }, ["gradient"]],
  ["by Block Influence", { preset: "shortgpt", layers: "only", sparsity: 0.1 }, ["layer-importance"]],
])("what is found out %s is known the next time", async (_, over, looks) => {
  const request = { ...own, ownText: 0, sparsity: 0.2, layers: 0, ...over };
  const [first, second] = [await run(request), await run(request)];
  expect(first.looks).toEqual(looks);
  expect(second.looks).toEqual([]);
  expect(second.weights.equals(first.weights)).toBe(true);
});

test("a cache that cannot be written is one warning, and the result is the same", async () => {
  const file = join(temporaryFolder(), "file");
  writeFileSync(file, "");
  const known = await run(own);
  vi.stubEnv("COMP_CACHE", join(file, "cache"));
  const { events, weights } = await run(own);
  const warnings = events.flatMap((event) => (event.type === "warning" ? [event.message] : []));
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain("set COMP_CACHE to another folder");
  expect(weights.equals(known.weights)).toBe(true);
});
