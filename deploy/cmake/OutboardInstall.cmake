# `cmake --install build/release --prefix /opt/outboard`: programs in bin/, our libraries in a folder
# of their own, so that no system-wide search path ever finds our libcuda.so.1 by accident.
install(TARGETS outboard outboard-server outboard-worker RUNTIME DESTINATION bin)
install(TARGETS cuda_client nvml_client LIBRARY DESTINATION lib/outboard NAMELINK_SKIP)
install(TARGETS cuda_softgpu nvml_softgpu LIBRARY DESTINATION lib/outboard/softgpu NAMELINK_SKIP)
