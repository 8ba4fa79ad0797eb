// Sums, differences and products of small numbers, bare and in a sentence; the wrong results are near by.
import type { Random } from "../../linalg/random.ts";
import { numberBetween, type Probe, pick } from "./probe.ts";

interface Calculation {
  readonly question: string;
  readonly result: number;
}

const NAMES = ["Anna", "Ben", "Carla", "David", "Emma", "Felix", "Greta", "Henry"];
const THINGS = ["apples", "books", "coins", "eggs", "marbles", "pencils", "stamps", "tickets"];

const KINDS: readonly ((random: Random) => Calculation)[] = [
  (random) => {
    const [a, b] = [numberBetween(random, 2, 60), numberBetween(random, 2, 39)];
    return { question: `${a} + ${b} =`, result: a + b };
  },
  (random) => {
    const [a, b] = [numberBetween(random, 20, 99), numberBetween(random, 2, 19)];
    return { question: `${a} - ${b} =`, result: a - b };
  },
  (random) => {
    const [a, b] = [numberBetween(random, 2, 9), numberBetween(random, 2, 9)];
    return { question: `${a} * ${b} =`, result: a * b };
  },
  (random) => {
    const [a, b] = [numberBetween(random, 2, 12), numberBetween(random, 2, 9)];
    const [name, things] = [pick(random, NAMES), pick(random, THINGS)];
    return {
      question: `${name} has ${a} ${things} and gets ${b} more. The number of ${things} that ${name} has now is`,
      result: a + b,
    };
  },
];

export const arithmetic: Probe = {
  summary: "sums, differences and products of small numbers",
  draw(random) {
    const { question, result } = pick(random, KINDS)(random);
    const wrong = [result + 1, result - 1, result + 10].map((number) => ` ${number}.`);
    return [{ prompt: question, choices: [` ${result}.`, ...wrong] }];
  },
};
