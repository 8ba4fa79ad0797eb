// Beginnings of Python and JavaScript that parse with one ending and not with the others.
import type { Random } from "../../linalg/random.ts";
import { numberBetween, type Probe, type ProbeItem, pick, pickSeveral } from "./probe.ts";

const NAMES = ["count", "total", "width", "height", "index", "value", "price", "speed", "start", "limit"];
const VERBS = ["compute", "find", "update", "read", "measure", "check"];

const KINDS: readonly ((random: Random) => ProbeItem)[] = [
  (random) => {
    const [a, b] = pickSeveral(random, NAMES, 2);
    return {
      prompt: `def ${pick(random, VERBS)}_${a}(${a}, ${b}`,
      choices: ["):\n    return", "]:\n    return", "}:\n    return"],
    };
  },
  (random) => {
    const [a, b] = pickSeveral(random, NAMES, 2);
    const bound = numberBetween(random, 2, 90);
    return { prompt: `if ${a} > ${bound}:\n    ${b} = ${a} - ${bound}\nelse`, choices: [":\n", " {\n", ";\n"] };
  },
  (random) => {
    const [a, b] = pickSeveral(random, NAMES, 2);
    return { prompt: `for ${a} in range(len(${b}`, choices: [")):\n", "):\n", "])):\n"] };
  },
  (random) => {
    const [a, b] = pickSeveral(random, NAMES, 2);
    return {
      prompt: `function ${pick(random, VERBS)}(${a}, ${b}) {\n  return ${a} * (${b} + 1`,
      choices: [");\n}\n", "];\n}\n", "};\n)\n"],
    };
  },
  (random) => {
    const [a, b, c] = pickSeveral(random, NAMES, 3);
    return {
      prompt: `const ${a} = [${b}[0], ${c}[${numberBetween(random, 1, 9)}`,
      choices: ["]];\n", "];\n", ")];\n"],
    };
  },
  (random) => {
    const [a, b] = pickSeveral(random, NAMES, 2);
    return {
      prompt: `if (${a} < ${numberBetween(random, 2, 90)}) {\n  ${b} = "${a}`,
      choices: ['";\n}\n', "';\n}\n", ";\n}\n"],
    };
  },
];

export const code: Probe = {
  summary: "endings with which a program parses",
  draw: (random) => [pick(random, KINDS)(random)],
};
