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

/** The first `count` different questions of a probe, those together that begin alike; a longer set of a seed begins with a shorter one. */
export function probeItems(name: ProbeName, seed: number, count: number): ProbeItem[][] {
  const random = nthRandom(seed, Object.keys(probes).indexOf(name));
  const known = new Set<string>();
  const draws: ProbeItem[][] = [];
  for (let tries = 0; known.size < count && tries < 20 * count; tries++) {
    const fresh = probes[name].draw(random).filter((item) => !known.has(textOf(item)));
    const taken = fresh.slice(0, count - known.size);
    for (const item of taken) known.add(textOf(item));
    if (taken.length > 0) draws.push(taken);
  }
  return draws;
}

const textOf = ({ prompt, choices }: ProbeItem): string => prompt + choices[0];
