"""The catalog of models, the volume that stores them and the sources they come from."""
