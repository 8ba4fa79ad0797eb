// docs/families.md: what can be cut of each family, and the formats it is read from and written to. `vitest -u` writes it.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseConfig } from "../../../src/model/config/parse-config.ts";
import { type Family, whyHeadsStay } from "../../../src/model/families/family.ts";
import { FAMILIES, familyOf } from "../../../src/model/families/index.ts";
import type { DecoderSpec } from "../../../src/model/spec/decoder-spec.ts";
import { textConfig } from "../../../src/model/surroundings.ts";
import { ROOT } from "../../helpers/built.ts";
import { fixturePath, readJsonFixture } from "../../helpers/fixtures.ts";

/** The description of a tiny checkpoint of each family, by its model_type. */
const specs = new Map<string, DecoderSpec>(
  readdirSync(fixturePath("tiny")).map((name) => {
    const config = readJsonFixture<Record<string, unknown>>("tiny", name, "config.json");
    const spec = parseConfig(textConfig(config) ?? config);
    return [spec.family, spec];
  }),
);

const MIXERS = { "short-convolution": "short convolutions stay", "gated-delta": "the gated delta rule stays" } as const;

function row(modelType: string): string {
  const family = familyOf({ model_type: modelType });
  const spec = specs.get(modelType)!;
  const why = whyHeadsStay(spec, family);
  const others = [
    ...new Set(spec.layers.flatMap(({ mixer }) => (mixer && mixer.kind !== "attention" ? [mixer.kind] : []))),
  ];
  const whole = others.map((kind) => `; ${MIXERS[kind]} whole, and one layer with attention stays`).join("");
  const heads = why === undefined ? `yes${whole}` : `no: ${why}`;
  const neurons = family.mixture === undefined ? "yes" : "yes, of all experts alike";
  return `| \`${modelType}\` | ${family.architecture} | ${neurons} | ${heads} | ${inGguf(family, why === undefined)} |`;
}

/** @param cutsHeads whether heads can go at all */
function inGguf({ gguf }: Family, cutsHeads: boolean): string {
  if (gguf === undefined) return "no";
  if (gguf.asDeci) return "yes, widths per layer too";
  return cutsHeads && !gguf.anyHeads ? "yes, with all heads" : "yes";
}

test("the page says what the families are", async () => {
  const page = [
    "# Families",
    "",
    "Written by `test/model/families/families-page.test.ts`. A family is what `model_type` of config.json says; whole layers and",
    "neurons can be cut of all of them, and folders of safetensors are read and written of all of them. Widths per layer come with",
    "a modelling file, but not of mixtures of experts. Of these whole experts can be removed, unless experts are chosen by groups",
    "(`n_group` of config.json is more than 1).",
    "",
    "A model with images or sounds beside the text (`text_config` in config.json) is pruned in its text part, where that is of one of",
    "these families; everything else is written as it is, in a folder. With widths per layer the modelling file has the class of",
    "the whole, where that is one of transformers (`…ForConditionalGeneration`).",
    "",
    "| `model_type` | class of transformers | neurons, layers | heads | GGUF |",
    "|---|---|---|---|---|",
    ...FAMILIES.map(({ modelType }) => row(modelType)),
    "",
  ].join("\n");
  await expect(page).toMatchFileSnapshot(join(ROOT, "docs/families.md"));
});
