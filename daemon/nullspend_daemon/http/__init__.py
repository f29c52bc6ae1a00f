"""HTTP as this daemon speaks it: routes, who may call them, what a body must look like, how replies read."""
