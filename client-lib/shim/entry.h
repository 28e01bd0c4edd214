// What every exported function does first: find the process's client and see whether it may be used.
// Light on purpose: every file of exported functions includes it.
#pragma once

#include "protocol/abi/cuda_abi_gen.h"

namespace outboard::client {

class Client;

// On the stack of every exported function, for as long as the call runs.
class Entry {
 public:
  enum BeforeInit { kBeforeInit };

  // `symbol` is a string literal: the exported name.
  explicit Entry(const char* symbol);
  // For calls that work before cuInit.
  Entry(const char* symbol, BeforeInit);

  bool ok() const { return result_ == CUDA_SUCCESS; }
  CUresult result() const { return result_; }
  Client& client() { return client_; }

  // For calls that could interfere with a capture; see Client.
  CUresult check_captures();

  // Counts, says it once per symbol, and is the function's result.
  CUresult unsupported(const char* reason);

  // In a handler: the result for the exception that is being handled.
  static CUresult exception() noexcept;

 private:
  Client& client_;
  const char* symbol_;
  CUresult result_ = CUDA_SUCCESS;
};

}  // namespace outboard::client
