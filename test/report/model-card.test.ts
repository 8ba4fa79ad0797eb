import { expect, test } from "vitest";
import { licenceOf, renderModelCard } from "../../src/report/model-card.ts";
import { pruneResult } from "../helpers/prune-result.ts";

const sourceCard = "---\nlicense: apache-2.0\nlanguage: en\n---\n# Tiny\nlicense: not this one\n";

test("the card says what was cut, what it cost and how to load it", () => {
  expect(renderModelCard(pruneResult, sourceCard)).toMatchSnapshot();
});

test("the licence is carried over from the front matter alone", () => {
  expect(licenceOf(sourceCard)).toEqual(["license: apache-2.0"]);
  expect(licenceOf("---\r\nlicense: other\r\nlicense_name: mine\r\n---\r\n")).toEqual([
    "license: other",
    "license_name: mine",
  ]);
  expect(licenceOf("# No front matter\nlicense: mit")).toEqual([]);
  expect(licenceOf(undefined)).toEqual([]);
});

test("no path of the machine stands in the card", () => {
  expect(renderModelCard(pruneResult, undefined)).not.toContain("/home/");
});

test("of experts it says how many go and by what they are chosen, and nothing of neurons that all stay", () => {
  const { options } = pruneResult;
  const whole = { before: 96, after: 96 };
  const card = renderModelCard(
    { ...pruneResult, numExperts: { before: 16, after: 12 }, intermediateSize: whole, layersRemoved: [] },
    undefined,
  );
  expect(card).toContain("all layers kept, MLP width 96 kept, experts 16 → 12 of each mixture, ");
  expect(card).toContain(
    `preset \`best\`: experts chosen by \`${options.expertCriterion}\`, recovery by \`dense-target\``,
  );
});
