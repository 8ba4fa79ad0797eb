// A list of names with numbers, and at its end the question for one of them: the answer stands far back and must be copied.
import { numberBetween, type Probe, pickSeveral } from "./probe.ts";

const LINES = 24;
const PLACES = `
Aberdeen Athens Bergen Berlin Boston Bristol Cairo Calgary Chicago Dallas Delhi Denver Dublin Geneva Havana
Houston Lagos Lima Lisbon London Madrid Milan Moscow Munich Nairobi Naples Oslo Ottawa Oxford Paris Prague
Quito Rome Seoul Sydney Tokyo Toronto Tunis Venice Vienna Warsaw Zurich`
  .trim()
  .split(/\s+/);

export const copying: Probe = {
  summary: "repeating what stands in a list far back",
  item(random) {
    const places = pickSeveral(random, PLACES, LINES);
    const numbers = places.map(() => numberBetween(random, 100, 999));
    const list = places.map((place, i) => `${place}: ${numbers[i]}`).join("\n");
    const asked = random.nextInt(LINES);
    const rest = numbers.filter((number) => number !== numbers[asked]);
    const others = pickSeveral(random, rest, 3);
    return {
      prompt: `${list}\n\nThe number of ${places[asked]} is`,
      choices: [` ${numbers[asked]}`, ...others.map((number) => ` ${number}`)],
    };
  },
};
