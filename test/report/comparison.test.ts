import { expect, test } from "vitest";
import { renderComparison } from "../../src/report/comparison.ts";
import { comparison } from "../helpers/comparison.ts";

test("a comparison is a table for each text, which says in words what collapsed and what failed", () => {
  expect(renderComparison(comparison)).toMatchInlineSnapshot(`
    "# Presets on tiny

    \`comp compare\` 0.1.0. Calibrated on as many windows of 256 tokens as the model's width needs, of mix.txt; judged on 16 windows of 512 tokens of each text. "Removed" counts all parameters. Time and memory are those of pruning, each in a process of its own.

    ## notes.txt

    | preset | removed | parameters | weights | perplexity | KL divergence | same choice | time | memory |  |
    | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |
    | dense | 0 % | 134,515,008 | 269.0 MB | 20 | 0 | 100 % |  |  |  |
    | flap | 20.3 % | 107,612,006 | 215.2 MB | 30.44 | 0.4021 | 74.0 % | 2 min 31 s | 812.3 MB |  |
    | random | 20.3 % | 107,612,006 | 215.2 MB | 4250 | 5.31 | 2.0 % | 2 min 31 s | 812.3 MB | collapsed: 213 times the dense perplexity |
    | llm-pruner | 20.0 % | – | – | – | – | – | – | – | failed: a sparsity of 0.2 cannot be reached |
    "
  `);
});

test("two texts of one name are two tables", () => {
  const cells = comparison.cells.map((cell) =>
    "failure" in cell ? cell : { ...cell, texts: [cell.texts[0]!, { ...cell.texts[0]!, perplexity: 55.5 }] },
  );
  const [, first, second] = renderComparison({ ...comparison, cells }).split("## notes.txt");
  expect(first).toContain("| 30.44 |");
  expect(second).toContain("| 55.5 |");
});

test("where everything failed there is a list of why", () => {
  const cells = comparison.cells.filter((cell) => "failure" in cell);
  expect(renderComparison({ ...comparison, cells })).toContain(
    "- llm-pruner, 20.0 %: a sparsity of 0.2 cannot be reached",
  );
});
