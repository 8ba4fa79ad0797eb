// Layers or neurons, on the demo model with equal widths.
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { SplitTrial } from "../../src/events/prune.ts";
import { eventsOf, pruneDemo } from "../helpers/prune-demo.ts";
import { temporaryFolder } from "../helpers/temporary.ts";

const newOutput = (): string => join(temporaryFolder(), "out");

describe("the split between layers and neurons", () => {
  test("is no worse than leaving all layers, and what was chosen is what is written", async () => {
    const [free, all] = [
      await pruneDemo({ output: newOutput(), samples: 12, sparsity: 0.5 }),
      await pruneDemo({ output: newOutput(), samples: 12, sparsity: 0.5, layers: 0 }),
    ];
    expect(free.quality.klDivergence).toBeLessThan(1.02 * all.quality.klDivergence);
    expect(free.layers).toHaveLength(8 - free.layersRemoved.length);
    expect(free.sparsity.all).toBeGreaterThanOrEqual(0.5);
    const pays = (one: SplitTrial, next: SplitTrial): boolean => next.klDivergence <= 0.98 * one.klDivergence;
    const best = free.splits!.reduce((one, next) => (pays(one, next) ? next : one));
    expect(best).toMatchObject({
      sparsity: 0.5,
      reached: free.sparsity.all,
      layers: free.layers.length,
      intermediateSize: free.layers[0]!.keptNeurons,
    });
    expect(all.splits).toBeUndefined();
  });

  test("is the options' own where they name layers, and no layer is weighed then", async () => {
    const events = await eventsOf({ output: newOutput(), layers: [3], sparsity: 0.3 });
    expect(events.some((event) => event.type === "stage" && event.name === "fork")).toBe(false);
    const last = events.at(-1)!;
    expect(last.type === "done" && last.result.layersRemoved).toEqual([3]);
  });

  test("by number: those go that the loss misses least", async () => {
    const [one, two] = [
      await pruneDemo({ output: newOutput(), samples: 12, layers: 1, sparsity: 0.3 }),
      await pruneDemo({ output: newOutput(), samples: 12, layers: 2, sparsity: 0.3 }),
    ];
    expect(two.layersRemoved).toEqual(expect.arrayContaining([...one.layersRemoved]));
    expect([one.layersRemoved.length, two.layersRemoved.length]).toEqual([1, 2]);
  });
});
