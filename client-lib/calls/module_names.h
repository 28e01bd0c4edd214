// Looking names up in loaded code.
#pragma once

#include "client-lib/session/client.h"

namespace outboard::client::calls {

// The function of this name, bound to a handle. CUDA_ERROR_NOT_FOUND.
CUresult bind_function(Client& client, ModuleInfo& module, const char* name, FunctionInfo** function);

// The variable of this name as it is in `context`. CUDA_ERROR_NOT_FOUND.
CUresult find_global(Client& client, ModuleInfo& module, wire::Handle context, const char* name, bool managed,
                     GlobalInfo* global);

// The module ends: its functions' handles die and its variables are no memory any more.
void forget_names(Client& client, ModuleInfo& module);

// Adds an instance of `function` (of a library) for one context, with a handle of its own.
CUresult instance_in_context(Client& client, FunctionInfo& kernel, FunctionInfo** function);

}  // namespace outboard::client::calls
