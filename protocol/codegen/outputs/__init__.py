"""One module per kind of generated file. Each offers files(model): path below the output folder -> text."""
from outputs import (client_call_tests, client_calls, client_exports, cuda_abi, driver_api, error_names, message_tests,
                     messages, opcodes, proc_table, server_dispatch, softgpu_exports)

OUTPUTS = [cuda_abi, proc_table, error_names, driver_api, opcodes, messages, message_tests, client_call_tests, client_calls,
           client_exports, server_dispatch, softgpu_exports]
