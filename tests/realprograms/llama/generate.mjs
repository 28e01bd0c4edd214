// Loads a model with llama.cpp and prints the tokens that it generates, always the most probable one.
//
//   node generate.mjs cuda|cpu MODEL COUNT own|cublas
//
// own: as llama.cpp computes with kernels of its own alone; cublas: as it needs cuBLAS.
//
// The package is found in NODE_LLAMA (import does not look at NODE_PATH).
import {pathToFileURL} from "node:url";

const {getLlama, LlamaLogLevel} = await import(
  pathToFileURL(`${process.env.NODE_LLAMA}/node_modules/node-llama-cpp/dist/index.js`).href);
const [, , where, modelPath, count, kernels] = process.argv;

const llama = await getLlama({gpu: where === "cuda" ? "cuda" : false, build: "never", logLevel: LlamaLogLevel.error});
if (where === "cuda") console.log(`devices: ${await llama.getGpuDeviceNames()}`);
const model = await llama.loadModel({modelPath, gpuLayers: "max"});

const prompt = (length) => Array.from({length}, (_, i) => 3 + (i * 37) % 250);

async function generate(sequence, length) {
  const tokens = [];
  for await (const token of sequence.evaluate(prompt(length), {temperature: 0})) {
    tokens.push(token);
    if (tokens.length === Number(count)) break;
  }
  return tokens.join(" ");
}

// One sequence. The prompt of 40 goes through in pieces of the batch's size: kernels for matrices from 9
// columns on, others below.
const runs = kernels === "cublas" ? [[64, false], [32, false]] : [[64, true], [8, true], [1, true], [1, false]];
for (const [batchSize, flashAttention] of runs) {
  const context = await model.createContext({contextSize: 512, batchSize, flashAttention, threads: 1});
  console.log(`tokens (batch ${batchSize}, flash attention ${flashAttention}): ` +
    await generate(context.getSequence(), 40));
  await context.dispose();
}
// Four sequences whose tokens are computed together. Which of them share a batch depends on when each is
// ready for its next token, other batches take other kernels, and of a random model's tokens two may be as
// good as equal: how many there are is all that must be the same.
const context = await model.createContext({contextSize: 512, batchSize: 64, sequences: 4,
  flashAttention: kernels === "own", threads: 1});
const sequences = [1, 2, 3, 4].map(() => context.getSequence());
const answers = await Promise.all(sequences.map((sequence) => generate(sequence, 40)));
answers.forEach((tokens, i) => console.log(`together (sequence ${i} of 4): ${tokens.split(" ").length} tokens`));
await context.dispose();
await model.dispose();
await llama.dispose();
console.log("PASS generate");
