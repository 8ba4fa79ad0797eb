// The probes: small sets made from a seed, each for an ability that perplexity on prose does not show. Adding one is one file,
// one row here and one test.
import { nthRandom } from "../../linalg/random.ts";
import { arithmetic } from "./arithmetic.ts";
import { code } from "./code.ts";
import { copying } from "./copying.ts";
import { json } from "./json.ts";
import type { Probe, ProbeItem } from "./probe.ts";
import { secondLanguage } from "./second-language.ts";

export const probes = { arithmetic, copying, code, secondLanguage, json } as const satisfies Readonly<
  Record<string, Probe>
>;

export type ProbeName = keyof typeof probes;

/** The first `count` different questions of a probe; a longer set of the same seed begins with the shorter one. */
export function probeItems(name: ProbeName, seed: number, count: number): ProbeItem[] {
  const random = nthRandom(seed, Object.keys(probes).indexOf(name));
  const items = new Map<string, ProbeItem>();
  for (let tries = 0; items.size < count && tries < 20 * count; tries++) {
    const item = probes[name].item(random);
    items.set(item.prompt + item.choices[0], item);
  }
  return [...items.values()];
}
