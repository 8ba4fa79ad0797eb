// A backend between whose runs garbage is collected.
import type { Backend } from "../compute/backend.ts";
import { collectGarbage } from "./garbage.ts";

/** The backend, with garbage collected when enough arrays have come. */
export const collectingBackend = (backend: Backend): Backend => ({
  device: backend.device,
  async compile(graph, options) {
    const program = await backend.compile(graph, options);
    return {
      async run(inputs, into) {
        collectGarbage();
        return program.run(inputs, into);
      },
      release: () => program.release(),
    };
  },
});
