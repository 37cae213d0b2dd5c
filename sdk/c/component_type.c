// The generated code wants this symbol, which comes with an object file that says what the component looks like.
// `cartwright plugin build` says that itself.
void __component_type_object_force_link_cartwright(void);
void __component_type_object_force_link_cartwright(void) {}
