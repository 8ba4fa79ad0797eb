// A list of names with numbers, and at its end the question for one of them: the answer stands far back and must be copied.
import { type Probe, pickSeveral } from "./probe.ts";

const LINES = 24;
/** On one list: most of the work is to read it. */
const QUESTIONS = 4;
const NUMBERS = Array.from({ length: 900 }, (_, i) => 100 + i);
const PLACES = `
Aberdeen Athens Bergen Berlin Boston Bristol Cairo Calgary Chicago Dallas Delhi Denver Dublin Geneva Havana
Houston Lagos Lima Lisbon London Madrid Milan Moscow Munich Nairobi Naples Oslo Ottawa Oxford Paris Prague
Quito Rome Seoul Sydney Tokyo Toronto Tunis Venice Vienna Warsaw Zurich`
  .trim()
  .split(/\s+/);

export const copying: Probe = {
  summary: "repeating what stands in a list far back",
  draw(random) {
    const places = pickSeveral(random, PLACES, LINES);
    const numbers = pickSeveral(random, NUMBERS, LINES);
    const list = places.map((place, i) => `${place}: ${numbers[i]}`).join("\n");
    const lines = places.map((place, i) => ({ place, number: numbers[i]! }));
    const [first, ...others] = pickSeveral(random, lines, QUESTIONS).map(({ place, number }) => {
      const rest = numbers.filter((other) => other !== number);
      const wrong = pickSeveral(random, rest, 3).map((other) => ` ${other}`);
      return { prompt: `${list}\n\nThe number of ${place} is`, choices: [` ${number}`, ...wrong] as const };
    });
    return [first!, ...others];
  },
};
