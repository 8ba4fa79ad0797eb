// The gradients of every family against those of torch.autograd, which test/fixtures/make-gradients.py has summed up.
import { describe, expect, test } from "vitest";
import { givenLabels } from "../../../src/forward/backward/labels.ts";
import { type SublayerMoments, secondMoments } from "../../../src/forward/backward/second-moments.ts";
import { type WeightGradients, weightGradients } from "../../../src/forward/backward/weight-gradients.ts";
import { mixtureOf } from "../../../src/model/spec/parts.ts";
import { EXPERT_FIXTURES, FAMILY_FIXTURES, readJsonFixture, TINY_FAMILIES } from "../../helpers/fixtures.ts";
import { exactScratch, openTiny, type TinyModel, tinyWindows } from "../../helpers/run.ts";

/** The matrices of each group; a family has some of them fused in its file, which changes no sum. */
const GROUPS = {
  attentionIn: ["qProj", "qGate", "kProj", "vProj"],
  attentionOut: ["oProj"],
  mlpIn: ["gateProj", "upProj"],
  mlpOut: ["downProj"],
  mixture: [],
} as const;
type Group = keyof typeof GROUPS;

/** Norm of ∂L/∂W, Σ |W · ∂L/∂W| and, of the Fisher factor S at the projection that ends a sublayer, the trace and vᵀSv. */
type Figures = Partial<Record<Group, readonly number[]>>;

const EXPECTED = readJsonFixture<Record<string, readonly Figures[]>>("gradients.json");

const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);

function ofWeights({ layer: { weights }, gradients }: WeightGradients, group: Group): number[] {
  const roles = GROUPS[group].filter((role) => gradients[role] !== undefined);
  if (roles.length === 0) return [];
  const squares = roles.map((role) => sum(gradients[role]!.data.map((gradient) => gradient ** 2)));
  const products = roles.map((role) =>
    sum(gradients[role]!.data.map((gradient, i) => Math.abs(gradient * weights[role]!.data[i]!))),
  );
  return [Math.sqrt(sum(squares)), sum(products)];
}

function ofFactor(moments: SublayerMoments | undefined): number[] {
  if (moments === undefined) return [];
  const { fisherFactor: factor } = moments;
  const size = Math.sqrt(factor.length);
  const quadratic = factor.map((value, i) => value * Math.cos(Math.floor(i / size)) * Math.cos(i % size));
  return [sum(factor.filter((_, i) => i % (size + 1) === 0)), sum(quadratic)];
}

/** The figures of every layer as the sweeps find them. */
async function figuresOf(family: string, { model, runner }: TinyModel): Promise<Figures[]> {
  const scratch = exactScratch();
  const windows = tinyWindows(family);
  const labels = givenLabels(windows.ids.map((id) => (id + 1) % model.spec.vocabSize));
  const request = { runner, model, windows, scratch, labels };
  const figures: Record<Group, number[]>[] = [];
  await weightGradients({ ...request, attention: true }, async (found) => {
    const of = (group: Group): number[] => ofWeights(found, group);
    figures[found.index] = {
      attentionIn: of("attentionIn"),
      attentionOut: of("attentionOut"),
      mlpIn: of("mlpIn"),
      mlpOut: of("mlpOut"),
      mixture: [],
    };
  });
  await secondMoments(request, { attention: true, activations: false }, async ({ index, layer, attention, mlp }) => {
    figures[index]!.attentionOut.push(...ofFactor(attention));
    figures[index]![mixtureOf(layer.sizes) ? "mixture" : "mlpOut"].push(...ofFactor(mlp));
  });
  await scratch.clear();
  return figures;
}

test("every tiny checkpoint is among them", () => {
  expect(Object.keys(EXPECTED).sort()).toEqual(
    [...TINY_FAMILIES, ...Object.keys(FAMILY_FIXTURES), ...EXPERT_FIXTURES].sort(),
  );
});

describe("the gradients are those of torch.autograd:", () => {
  test.each(Object.keys(EXPECTED))("%s", async (family) => {
    const tiny = await openTiny(family);
    const found = await figuresOf(family, tiny);
    await tiny.close();
    for (const [index, expected] of EXPECTED[family]!.entries())
      for (const group of Object.keys(GROUPS) as Group[]) {
        const own = found[index]![group]!;
        const ratios = (expected[group] ?? []).map((figure, i) => own[i]! / figure);
        expect(own).toHaveLength(ratios.length);
        for (const ratio of ratios) expect(ratio).toBeCloseTo(1, 3);
      }
  });
});
