// A probe: questions that a generator makes from a seed, each with one right continuation and others that are wrong.
import type { Random } from "../../linalg/random.ts";

export interface ProbeItem {
  readonly prompt: string;
  /** Continuations of the prompt; the first is right, and they differ in what the probe asks for alone. */
  readonly choices: readonly [string, ...string[]];
}

export interface Probe {
  /** What a right answer shows. */
  readonly summary: string;
  /** One question; or several that begin alike, so that what they share has to be read but once. */
  draw(random: Random): readonly [ProbeItem, ...ProbeItem[]];
}

/** One of the elements, each as likely. */
export const pick = <T>(random: Random, elements: readonly T[]): T => elements[random.nextInt(elements.length)]!;

/** A whole number from `least` to `most`. */
export const numberBetween = (random: Random, least: number, most: number): number =>
  least + random.nextInt(most - least + 1);

/** `count` different elements in random order. Fisher and Yates, as far as needed. */
export function pickSeveral<T>(random: Random, elements: readonly T[], count: number): T[] {
  const rest = [...elements];
  return Array.from({ length: count }, () => rest.splice(random.nextInt(rest.length), 1)[0]!);
}
