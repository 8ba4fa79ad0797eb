// Beginnings of JSON that parse with one ending and not with the others.
import { numberBetween, type Probe, pick, pickSeveral } from "./probe.ts";

const KEYS = ["name", "title", "city", "color", "status", "owner", "email", "group"];
const WORDS = ["red", "north", "open", "Anna", "large", "London", "winter", "first"];

export const json: Probe = {
  summary: "endings with which JSON parses",
  draw(random) {
    const [first, second, third] = pickSeveral(random, KEYS, 3);
    const [a, b, c] = pickSeveral(random, WORDS, 3);
    const beginning = `{"${first}": "${a}", "id": ${numberBetween(random, 1, 999)}, `;
    const item = pick(random, [
      { prompt: `${beginning}"${second}": ["${b}", "${c}"`, choices: ["]}", "}]", ")}"] as const },
      { prompt: `${beginning}"${second}": {"${third}": "${c}"`, choices: ["}}", "]}", "}]"] as const },
      { prompt: `${beginning}"${second}"`, choices: [`: "${b}"}`, ` = "${b}"}`, `, "${b}"}`] as const },
      { prompt: `[${beginning}"${second}": "${b}"`, choices: ["}]", "]}", ")]"] as const },
    ]);
    return [item];
  },
};
