import { expect, test } from "vitest";
import { createRandom, nthRandom, randomFromState } from "../../src/linalg/random.ts";

test("xoshiro128** gives the numbers of its authors' C code from the state 1, 2, 3, 4", () => {
  const random = randomFromState(Uint32Array.of(1, 2, 3, 4));
  const numbers = Array.from({ length: 10 }, () => random.nextUint32());
  expect(numbers).toEqual([
    11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
  ]);
});

test("the same seed gives the same numbers, another seed others", () => {
  const draw = (seed: number): number[] => {
    const random = createRandom(seed);
    return [random.nextUint32(), random.nextUint32()];
  };
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
});

test("whole numbers below a limit fall evenly", () => {
  const random = createRandom(0);
  const seen = [0, 0, 0, 0, 0];
  for (let i = 0; i < 5000; i++) seen[random.nextInt(5)]! += 1;
  for (const times of seen) expect(times).toBeGreaterThan(850);
});

test("generators of one seed share none of their numbers with those of the next", () => {
  const first = (seed: number, n: number): number => nthRandom(seed, n).nextUint32();
  const of = (seed: number): number[] => Array.from({ length: 50 }, (_, n) => first(seed, n));
  expect(first(3, 7)).toBe(first(3, 7));
  expect(new Set([...of(3), ...of(4)]).size).toBe(100);
});

test("numbers lie in [0, 1)", () => {
  const random = createRandom(5);
  for (let i = 0; i < 1000; i++) {
    const value = random.nextFloat();
    expect(value >= 0 && value < 1 && Number.isInteger(value * 2 ** 32)).toBe(true);
  }
});
