// A criterion of one's own, in one file, beside two that are built in.
//   npx tsx examples/own-criterion.ts [MODEL] [OUTPUT]
import { byScore, type OwnCriterion, prune } from "../src/index.ts"; // elsewhere: from "comp-llm"

const [model = "models/demo", output = "demo-pruned"] = process.argv.slice(2);

/**
 * score_j = ‖z_j‖² · √(Σ_i W_ij⁴), z_j the activations of neuron j and W the projection that it feeds.
 *
 * @see Le et al. 2025 (Probe Pruning), the metric PPsp
 */
const probe: OwnCriterion = {
  name: "probe",
  ...byScore(({ weight, outputSize, inputSize }, { gram }) =>
    Float64Array.from({ length: inputSize }, (_, j) => {
      let fourth = 0;
      for (let i = 0; i < outputSize; i++) fourth += weight[i * inputSize + j]! ** 4;
      return gram[j * inputSize + j]! * Math.sqrt(fourth);
    }),
  ),
};

const options = { recovery: "least-squares", samples: 16, context: 64, sparsity: 0.2, overwrite: true } as const;

for (const criterion of [probe, "wanda", "random"] as const)
  for await (const event of prune({ model, output, criterion, ...options }))
    if (event.type === "done")
      console.log(`${event.result.options.criterion}: KL ${event.result.quality?.klDivergence.toFixed(3)} nats`);
