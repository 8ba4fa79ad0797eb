import { describe, expect, test } from "vitest";
import { type ProbeName, probeItems, probes } from "../../src/evaluate/probes/index.ts";

const NAMES = Object.keys(probes) as ProbeName[];
const SEEDS = [0, 1, 2];
const itemsOf = (name: ProbeName) => SEEDS.flatMap((seed) => probeItems(name, seed, 64).flat());

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

describe.each(NAMES)("%s", (name) => {
  test("has as many questions as are asked for, no two alike, and a shorter set begins a longer one", () => {
    const items = probeItems(name, 5, 64).flat();
    expect(new Set(items.map(({ prompt, choices }) => prompt + choices[0])).size).toBe(64);
    expect(probeItems(name, 5, 17).flat()).toEqual(items.slice(0, 17));
    expect(probeItems(name, 6, 64).flat()).not.toEqual(items);
  });

  test("has choices that differ, none of which begins another", () => {
    for (const { choices } of itemsOf(name))
      for (const [i, choice] of choices.entries())
        expect(choices.some((other, j) => i !== j && other.startsWith(choice))).toBe(false);
  });
});

test("the right result of a calculation is right, the wrong ones are wrong", () => {
  const results = {
    "+": (a: number, b: number) => a + b,
    "-": (a: number, b: number) => a - b,
    "*": (a: number, b: number) => a * b,
  };
  const bare = itemsOf("arithmetic").filter(({ prompt }) => prompt.endsWith("="));
  expect(bare.length).toBeGreaterThan(20);
  for (const { prompt, choices } of bare) {
    const [a, sign, b] = prompt.split(" ");
    const isRight = choices.map((choice) => Number.parseInt(choice, 10) === results[sign as "+"](Number(a), Number(b)));
    expect(isRight).toEqual([true, ...choices.slice(1).map(() => false)]);
  }
});

test("what is to be copied stands once in the list, at the name that is asked for", () => {
  for (const { prompt, choices } of itemsOf("copying")) {
    const place = /The number of (\w+) is$/.exec(prompt)![1];
    expect(prompt).toContain(`${place}:${choices[0]}\n`);
    for (const wrong of choices.slice(1)) expect(prompt).not.toContain(`${place}:${wrong}\n`);
  }
});

test("JSON parses with the right ending only", () => {
  for (const { prompt, choices } of itemsOf("json"))
    expect(choices.map((choice) => isJson(prompt + choice))).toEqual([true, ...choices.slice(1).map(() => false)]);
});

test("JavaScript parses with the right ending only", () => {
  const parses = (text: string): boolean => {
    try {
      new Function(text);
      return true;
    } catch {
      return false;
    }
  };
  const programs = itemsOf("code").filter(({ choices }) => choices[0].endsWith("}\n") || choices[0].endsWith(";\n"));
  expect(programs.length).toBeGreaterThan(20);
  for (const { prompt, choices } of programs)
    expect(choices.map((choice) => parses(prompt + choice))).toEqual([true, ...choices.slice(1).map(() => false)]);
});
