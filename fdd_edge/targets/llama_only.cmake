# Given to llama-cpp-python's build as CMAKE_PROJECT_llama.cpp_INCLUDE: without llama.cpp's library for its own programs,
# which nothing in the Python package uses. llama-cpp-python switches it on in the cache; a variable takes precedence.
set(LLAMA_BUILD_COMMON OFF)
